"""Our own columns under their common names, whatever scraper or spreadsheet wrote them."""

from groundswell.sources.format import Format, normal

#: Counters under every name that we have seen; readings share them.
COUNTERS = {
    "views": ("views", "view_count", "play_count", "plays", "views_count", "video_views"),
    "likes": ("likes", "like_count", "digg_count", "likes_count", "diggs", "hearts", "heart_count"),
    "shares": ("shares", "share_count", "shares_count"),
    "comments": ("comments", "comment_count", "comments_count"),
    "saves": (
        "saves",
        "save_count",
        "collect_count",
        "bookmarks",
        "bookmark_count",
        "favorites",
        "favorite_count",
        "favorites_count",
        "saved",
    ),
}
IDENTITY = {
    "platform": ("platform",),
    "platform_video_id": ("platform_video_id", "video_id", "aweme_id", "item_id", "post_id", "id"),
}
SCRAPED_AT = {"scraped_at": ("scraped_at", "observed_at", "collected_at", "fetched_at", "crawled_at", "scrape_time")}

FIELDS = {
    **IDENTITY,
    "video_url": ("video_url", "url", "web_video_url", "share_url", "link", "post_url"),
    "author": (
        "author",
        "username",
        "author_name",
        "author_username",
        "author_unique_id",
        "unique_id",
        "user_name",
        "creator",
        "channel_title",
        "author_id",
        "user_id",
    ),
    "author_url": ("author_url", "profile_url", "channel_url"),
    "author_followers": (
        "author_followers",
        "followers",
        "follower_count",
        "followers_count",
        "fans",
        "author_follower_count",
        "author_fans",
        "subscribers",
        "subscriber_count",
    ),
    "description": ("description", "desc", "caption", "text", "title", "video_description"),
    **COUNTERS,
    "sound_name": ("sound_name", "music_name", "music_title", "sound_title", "sound", "music", "song"),
    "sound_url": ("sound_url", "music_url"),
    "hashtags": ("hashtags", "hashtag_names", "tags", "challenges"),
    "category": ("category",),
    "duration_seconds": ("duration_seconds", "duration", "video_duration", "length_seconds", "duration_sec"),
    "posted_at": (
        "posted_at",
        "uploaded_at",
        "create_time",
        "created_at",
        "created",
        "published_at",
        "publish_time",
        "create_time_iso",
        "upload_date",
        "date_posted",
        "timestamp",
    ),
    **SCRAPED_AT,
    "source": ("source",),
}


def columns(keys: frozenset[str], fields: dict[str, tuple[str, ...]]) -> set[str]:
    """Return the canonical columns that the keys speak of.

    >>> sorted(columns(frozenset({"aweme_id", "plays", "colour"}), FIELDS))
    ['platform_video_id', 'views']
    """
    return {column for column, aliases in fields.items() if any(normal(alias) in keys for alias in aliases)}


def _recognises(keys: frozenset[str]) -> bool:
    # A table of something else may well have an id, a title and likes; views, or two counters, it has not.
    # Where the id is absent from every row we still want the rows refused one by one, not the file.
    found = columns(keys, FIELDS)
    counters = len(found & COUNTERS.keys())
    counted = "views" in found or counters > 1
    return counted and ("platform_video_id" in found or len(found) > 3)


CANONICAL = Format(
    name="canonical",
    title="canonical columns",
    kind="videos",
    fields=FIELDS,
    recognises=_recognises,
)
