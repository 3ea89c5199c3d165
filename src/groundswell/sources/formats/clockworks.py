"""What Apify's actor `clockworks/tiktok-scraper` exports: JSON, or CSV with flattened `authorMeta.fans` headers."""

from groundswell.sources.format import Format

CLOCKWORKS = Format(
    name="clockworks",
    title="Apify clockworks",
    kind="videos",
    fields={
        "platform_video_id": ("id",),
        "video_url": ("webVideoUrl",),
        "author": ("authorMeta.name",),
        "author_url": ("authorMeta.profileUrl",),
        "author_followers": ("authorMeta.fans",),
        "description": ("text",),
        "views": ("playCount",),
        "likes": ("diggCount",),
        "shares": ("shareCount",),
        "comments": ("commentCount",),
        "saves": ("collectCount",),
        "sound_name": ("musicMeta.musicName",),
        "sound_url": ("musicMeta.playUrl",),
        "hashtags": ("hashtags",),
        "duration_seconds": ("videoMeta.duration",),
        "posted_at": ("createTime", "createTimeISO"),
        "scraped_at": ("scrapedAt",),
    },
    recognises=lambda keys: bool(keys & {"author_meta", "music_meta", "video_meta", "web_video_url"}),
    constants={"platform": "tiktok", "source": "clockworks"},
)
