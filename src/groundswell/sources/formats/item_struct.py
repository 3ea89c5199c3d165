"""What TikTok's own web pages carry: `itemStruct` objects, bare or wrapped in `itemInfo`.

Newer pages give the counters as text in `statsV2` only.
"""

from groundswell.sources.format import Format

_FIELDS = {
    "platform_video_id": ("id",),
    "author": ("author.uniqueId",),
    "author_followers": ("authorStats.followerCount", "authorStatsV2.followerCount"),
    "description": ("desc",),
    "views": ("stats.playCount", "statsV2.playCount"),
    "likes": ("stats.diggCount", "statsV2.diggCount"),
    "shares": ("stats.shareCount", "statsV2.shareCount"),
    "comments": ("stats.commentCount", "statsV2.commentCount"),
    "saves": ("stats.collectCount", "statsV2.collectCount"),
    "sound_name": ("music.title",),
    "sound_url": ("music.playUrl",),
    "hashtags": ("challenges",),
    "duration_seconds": ("video.duration",),
    "posted_at": ("createTime",),
    "scraped_at": ("scrapedAt",),
}
_WRAPPERS = ("", "itemStruct.", "itemInfo.itemStruct.")

ITEM_STRUCT = Format(
    name="item_struct",
    title="web itemStruct",
    kind="videos",
    fields={
        column: tuple(wrapper + path for wrapper in _WRAPPERS for path in paths) for column, paths in _FIELDS.items()
    },
    recognises=lambda keys: bool(keys & {"item_info", "item_struct", "stats_v2"}) or keys >= {"stats", "desc"},
    constants={"platform": "tiktok", "source": "item_struct"},
)
