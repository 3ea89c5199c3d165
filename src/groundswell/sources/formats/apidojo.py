"""What Apify's actor `apidojo/tiktok-scraper` exports: JSONL with `channel` and `song` objects."""

from groundswell.sources.format import Format

APIDOJO = Format(
    name="apidojo",
    title="Apify apidojo",
    kind="videos",
    fields={
        "platform_video_id": ("id",),
        "video_url": ("postPage",),
        "author": ("channel.username", "channel.name"),
        "author_url": ("channel.url",),
        "author_followers": ("channel.followers",),
        "description": ("title",),
        "views": ("views",),
        "likes": ("likes",),
        "shares": ("shares",),
        "comments": ("comments",),
        "saves": ("bookmarks",),
        "sound_name": ("song.title",),
        "hashtags": ("hashtags",),
        "duration_seconds": ("video.duration",),
        "posted_at": ("uploadedAt", "uploadedAtFormatted"),
        "scraped_at": ("scrapedAt",),
    },
    recognises=lambda keys: (
        bool(keys & {"channel", "song", "post_page", "uploaded_at_formatted"}) and bool(keys & {"views", "likes"})
    ),
    constants={"platform": "tiktok", "source": "apidojo"},
)
