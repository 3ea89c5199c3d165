"""The columns of the public data set TikTok-10M, usually Parquet: `challenges` is text split by commas."""

from groundswell.sources.format import Format

TIKTOK_10M = Format(
    name="tiktok_10m",
    title="TikTok-10M",
    kind="videos",
    fields={
        "platform_video_id": ("id",),
        "video_url": ("url",),
        "author": ("user_id",),
        "description": ("desc",),
        "views": ("play_count",),
        "likes": ("digg_count",),
        "shares": ("share_count",),
        "comments": ("comment_count",),
        "saves": ("collect_count",),
        "sound_name": ("music_title",),
        "hashtags": ("challenges",),
        "duration_seconds": ("duration",),
        "posted_at": ("create_time",),
        "scraped_at": ("scraped_at",),
    },
    recognises=lambda keys: keys >= {"digg_count", "user_id"} or keys >= {"digg_count", "challenges"},
    constants={"platform": "tiktok", "source": "tiktok_10m"},
)
