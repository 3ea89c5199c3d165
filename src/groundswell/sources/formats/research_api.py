"""What TikTok's research API answers to a video query: `{"data": {"videos": […]}}`, or those videos one a line."""

from groundswell.sources.format import Format

RESEARCH_API = Format(
    name="research_api",
    title="TikTok research API",
    kind="videos",
    fields={
        "platform_video_id": ("id",),
        "author": ("username",),
        "description": ("video_description",),
        "views": ("view_count",),
        "likes": ("like_count",),
        "shares": ("share_count",),
        "comments": ("comment_count",),
        "saves": ("favorites_count",),
        "hashtags": ("hashtag_names",),
        "duration_seconds": ("video_duration",),
        "posted_at": ("create_time",),
        "scraped_at": ("scraped_at",),
    },
    recognises=lambda keys: bool(keys & {"video_description", "favorites_count", "hashtag_names"}),
    constants={"platform": "tiktok", "source": "research_api"},
)
