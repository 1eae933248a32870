-- One row per user and snapshot date from a Google Analytics 4 export, all snapshots in one query.
--
-- With S the snapshot date, features see the days [S - @lookback_days, S) only. The label sees
-- [S + @gap_days, S + @gap_days + @horizon_days). A user has a row for S if they have an event in the lookback.
-- Days are event_date, which is in the property's time zone. Timestamps only order events and give the hour of day.
--
-- A purchase may arrive more than once under one transaction id, even on several days. Only its first arrival (by day,
-- then timestamp) since S - @lookback_days counts as a purchase, as revenue and as a conversion. A row does not know
-- what happened before the lookback, whichever other snapshots the run has. So a row depends on its own days only, and
-- 'never_converted' means: not within the lookback.
--
-- Numeric event parameters are read from whichever value field holds them: exporters and server-side tagging differ.
-- The columns unread_* count the events of a row whose value is there but is not a number. The run warns of them.
--
-- An age is the number of days from an event to the snapshot: 1 is the day before it; 0 or less is at or after it.
-- No output has the name of an input, counts are COUNT(IF(...)), and outputs are cast, so that DuckDB returns the same.
WITH unpacked AS (
  SELECT
    e.user_pseudo_id,
    UNIX_DATE(PARSE_DATE('%Y%m%d', e.event_date)) AS day,
    e.event_timestamp AS ts,
    CAST(e.event_timestamp AS STRING) AS stamp,
    e.event_name,
    EXTRACT(HOUR FROM TIMESTAMP_MICROS(e.event_timestamp) AT TIME ZONE @time_zone) AS hour_of_day,
    IF(
      e.user_first_touch_timestamp BETWEEN 1000000000000000 AND 9999999999999999,  -- microseconds have 16 digits
      e.user_first_touch_timestamp,
      NULL
    ) AS first_touch_ts,
    (SELECT ep.value FROM UNNEST(e.event_params) AS ep WHERE ep.key = 'ga_session_id') AS session_value,
    (SELECT ep.value FROM UNNEST(e.event_params) AS ep WHERE ep.key = 'ga_session_number') AS number_value,
    (SELECT ep.value FROM UNNEST(e.event_params) AS ep WHERE ep.key = 'engagement_time_msec') AS engagement_value,
    (SELECT ep.value FROM UNNEST(e.event_params) AS ep WHERE ep.key = 'session_engaged') AS engaged_value,
    (SELECT ep.value.string_value FROM UNNEST(e.event_params) AS ep WHERE ep.key = 'source') AS event_source,
    (SELECT ep.value.string_value FROM UNNEST(e.event_params) AS ep WHERE ep.key = 'medium') AS event_medium,
    e.device.category AS device_type,
    e.device.operating_system AS os,
    e.device.web_info.browser AS web_browser,
    e.device.language AS device_language,
    e.geo.country AS geo_country,
    e.geo.region AS geo_region,
    e.traffic_source.source AS first_source,
    e.traffic_source.medium AS first_medium
  FROM `events_*` AS e
  WHERE e._TABLE_SUFFIX BETWEEN @first_suffix AND @last_suffix
    AND e._TABLE_SUFFIX IN UNNEST(@table_suffixes)
    AND e.user_pseudo_id IS NOT NULL
),

-- Each numeric parameter as an integer, or else as the text of whichever other field is filled.
parameters AS (
  SELECT
    u.*,
    u.session_value.int_value AS session_int,
    COALESCE(
      NULLIF(TRIM(u.session_value.string_value), ''),
      CAST(u.session_value.double_value AS STRING),
      CAST(u.session_value.float_value AS STRING)
    ) AS session_text,
    u.number_value.int_value AS number_int,
    COALESCE(
      NULLIF(TRIM(u.number_value.string_value), ''),
      CAST(u.number_value.double_value AS STRING),
      CAST(u.number_value.float_value AS STRING)
    ) AS number_text,
    u.engagement_value.int_value AS engagement_int,
    COALESCE(
      NULLIF(TRIM(u.engagement_value.string_value), ''),
      CAST(u.engagement_value.double_value AS STRING),
      CAST(u.engagement_value.float_value AS STRING)
    ) AS engagement_text,
    COALESCE(
      NULLIF(TRIM(u.engaged_value.string_value), ''),
      CAST(u.engaged_value.int_value AS STRING),
      CAST(u.engaged_value.double_value AS STRING),
      CAST(u.engaged_value.float_value AS STRING)
    ) AS engaged_text
  FROM unpacked AS u
),

events AS (
  SELECT
    p.*,
    COALESCE(
      p.session_int,
      SAFE_CAST(p.session_text AS INT64),
      SAFE_CAST(SAFE_CAST(p.session_text AS FLOAT64) AS INT64)  -- such as '1700000000.0'
    ) AS session_id,
    COALESCE(p.number_int, SAFE_CAST(SAFE_CAST(p.number_text AS FLOAT64) AS INT64)) AS session_number,
    COALESCE(p.engagement_int, SAFE_CAST(SAFE_CAST(p.engagement_text AS FLOAT64) AS INT64)) AS engaged_ms,
    CASE p.engaged_text WHEN '1' THEN 1 WHEN '0' THEN 0 ELSE SAFE_CAST(p.engaged_text AS FLOAT64) END AS engaged_flag
  FROM parameters AS p
),

-- One row per user, day and session, and one per user and day for events without a session id (no consent).
-- The last value of a category is the maximum of timestamp || value. Timestamps in microseconds have 16 digits, so the
-- texts sort as the timestamps do, and events with the same timestamp give the same answer in every run.
session_days AS (
  SELECT
    user_pseudo_id,
    day,
    session_id,
    COUNT(*) AS n_events,
    COUNT(IF(event_name = 'page_view', 1, NULL)) AS n_page_views,
    COUNT(IF(event_name = 'view_item', 1, NULL)) AS n_item_views,
    COUNT(IF(event_name = 'add_to_cart', 1, NULL)) AS n_carts,
    COUNT(IF(event_name = 'begin_checkout', 1, NULL)) AS n_checkouts,
    COUNT(IF(hour_of_day >= 18, 1, NULL)) AS n_evening,
    SUM(COALESCE(engaged_ms, 0)) AS engagement_ms,
    MAX(IF(engaged_flag = 1, 1, 0)) AS is_engaged,
    COUNT(IF(session_id IS NULL AND session_text IS NOT NULL, 1, NULL)) AS n_unread_sessions,
    COUNT(IF(session_number IS NULL AND number_text IS NOT NULL, 1, NULL)) AS n_unread_numbers,
    COUNT(IF(engaged_ms IS NULL AND engagement_text IS NOT NULL, 1, NULL)) AS n_unread_engagements,
    COUNT(IF(engaged_flag IS NULL AND engaged_text IS NOT NULL, 1, NULL)) AS n_unread_flags,
    MAX(session_number) AS max_session_number,
    MIN(first_touch_ts) AS min_first_touch_ts,
    MIN(ts) AS first_ts,
    MAX(ts) AS last_ts,
    MAX(stamp || NULLIF(device_type, '')) AS last_device,
    MAX(stamp || NULLIF(os, '')) AS last_os,
    MAX(stamp || NULLIF(web_browser, '')) AS last_browser,
    MAX(stamp || NULLIF(device_language, '')) AS last_language,
    MAX(stamp || NULLIF(geo_country, '')) AS last_country,
    MAX(stamp || NULLIF(geo_region, '')) AS last_region,
    MAX(stamp || NULLIF(first_source, '')) AS last_source,
    MAX(stamp || NULLIF(first_medium, '')) AS last_medium,
    MAX(stamp || NULLIF(event_source, '')) AS last_event_source,
    MAX(stamp || NULLIF(event_medium, '')) AS last_event_medium
  FROM events
  GROUP BY user_pseudo_id, day, session_id
),

session_days_by_snapshot AS (
  SELECT
    s.*,
    snapshot_date,
    UNIX_DATE(snapshot_date) - s.day AS age,
    IF(s.session_id IS NULL, 0, 1) AS n_sessions,
    IF(MOD(s.day + 3, 7) >= 5, 1, 0) AS is_weekend  -- 1970-01-01 was a Thursday: 0 is Monday
  FROM session_days AS s
  CROSS JOIN UNNEST(@snapshot_dates) AS snapshot_date
  WHERE UNIX_DATE(snapshot_date) - s.day BETWEEN 1 AND @lookback_days
),

histories AS (
  SELECT
    user_pseudo_id,
    snapshot_date,
    SUM(IF(age BETWEEN 1 AND 7, n_sessions, 0)) AS sessions_a,
    SUM(IF(age BETWEEN 8 AND 14, n_sessions, 0)) AS sessions_b,
    SUM(IF(age BETWEEN 15 AND 30, n_sessions, 0)) AS sessions_c,
    SUM(IF(age BETWEEN 1 AND 7, n_events, 0)) AS events_a,
    SUM(IF(age BETWEEN 8 AND 14, n_events, 0)) AS events_b,
    SUM(IF(age BETWEEN 15 AND 30, n_events, 0)) AS events_c,
    SUM(IF(age BETWEEN 1 AND 7, n_page_views, 0)) AS page_views_a,
    SUM(IF(age BETWEEN 8 AND 14, n_page_views, 0)) AS page_views_b,
    SUM(IF(age BETWEEN 15 AND 30, n_page_views, 0)) AS page_views_c,
    SUM(IF(age BETWEEN 1 AND 7, n_item_views, 0)) AS item_views_a,
    SUM(IF(age BETWEEN 8 AND 14, n_item_views, 0)) AS item_views_b,
    SUM(IF(age BETWEEN 15 AND 30, n_item_views, 0)) AS item_views_c,
    SUM(IF(age BETWEEN 1 AND 7, n_carts, 0)) AS carts_a,
    SUM(IF(age BETWEEN 8 AND 14, n_carts, 0)) AS carts_b,
    SUM(IF(age BETWEEN 15 AND 30, n_carts, 0)) AS carts_c,
    SUM(IF(age BETWEEN 1 AND 7, n_checkouts, 0)) AS checkouts_a,
    SUM(IF(age BETWEEN 8 AND 30, n_checkouts, 0)) AS checkouts_bc,
    SUM(IF(age BETWEEN 1 AND 7, engagement_ms, 0)) AS engagement_a,
    SUM(IF(age BETWEEN 8 AND 30, engagement_ms, 0)) AS engagement_bc,
    BIT_COUNT(BIT_OR(IF(age BETWEEN 1 AND 30, CAST(1 AS INT64) << age, 0))) AS active_days,  -- a bit for each day
    MIN(age) AS youngest_age,
    MAX(age) AS oldest_age,
    MIN(IF(n_carts > 0, age, NULL)) AS cart_age,
    MAX(max_session_number) AS greatest_session_number,
    MIN(min_first_touch_ts) AS earliest_first_touch_ts,
    MAX(last_ts) AS newest_ts,
    SUM(n_sessions) AS all_sessions,
    SUM(n_events) AS all_events,
    SUM(IF(n_sessions = 1, n_events, 0)) AS session_events,
    SUM(IF(n_sessions = 1, n_page_views, 0)) AS session_page_views,
    SUM(IF(n_sessions = 1, last_ts - first_ts, 0)) AS session_micros,
    SUM(IF(n_sessions = 1, is_engaged, 0)) AS engaged_sessions,
    SUM(n_unread_sessions) AS unread_sessions,
    SUM(n_unread_numbers) AS unread_numbers,
    SUM(n_unread_engagements) AS unread_engagements,
    SUM(n_unread_flags) AS unread_flags,
    SUM(n_evening) AS evening_events,
    SUM(IF(is_weekend = 1, n_events, 0)) AS weekend_events,
    SUBSTR(MAX(last_device), 17) AS newest_device,
    SUBSTR(MAX(last_os), 17) AS newest_os,
    SUBSTR(MAX(last_browser), 17) AS newest_browser,
    SUBSTR(MAX(last_language), 17) AS newest_language,
    SUBSTR(MAX(last_country), 17) AS newest_country,
    SUBSTR(MAX(last_region), 17) AS newest_region,
    SUBSTR(MAX(last_source), 17) AS newest_source,
    SUBSTR(MAX(last_medium), 17) AS newest_medium,
    SUBSTR(MAX(last_event_source), 17) AS newest_event_source,
    SUBSTR(MAX(last_event_medium), 17) AS newest_event_medium
  FROM session_days_by_snapshot
  GROUP BY user_pseudo_id, snapshot_date
),

-- Purchases and conversions are few: reading their columns again is cheaper than keeping all events for a second use.
key_event_columns AS (
  SELECT
    e.user_pseudo_id,
    UNIX_DATE(PARSE_DATE('%Y%m%d', e.event_date)) AS day,
    e.event_timestamp AS ts,
    e.event_name,
    IF(
      e.event_name = 'purchase' AND LOWER(TRIM(e.ecommerce.transaction_id)) NOT IN UNNEST(@unknown_ids),
      e.ecommerce.transaction_id,
      NULL
    ) AS purchase_id,
    CAST(e.ecommerce.purchase_revenue AS FLOAT64) AS revenue,
    IF(  -- whole numbers, so that sums do not depend on the order of rows; NaN, infinities and absurd amounts are none
      ABS(CAST(e.ecommerce.purchase_revenue AS FLOAT64)) <= 1e30,
      ROUND(CAST(e.ecommerce.purchase_revenue AS FLOAT64) * 1000000),
      0
    ) AS revenue_micros
  FROM `events_*` AS e
  WHERE e._TABLE_SUFFIX BETWEEN @first_suffix AND @last_suffix
    AND e._TABLE_SUFFIX IN UNNEST(@table_suffixes)
    AND e.user_pseudo_id IS NOT NULL
    AND e.event_name IN ('purchase', @conversion_event)
),

-- Each with the day on which the same purchase arrived before: NULL if it did not, or if it has no id.
key_events AS (
  SELECT
    user_pseudo_id,
    day,
    event_name,
    revenue_micros,
    IF(revenue IS NOT NULL AND NOT COALESCE(ABS(revenue) <= 1e30, FALSE), 1, NULL) AS unread_revenue,
    IF(
      purchase_id IS NULL,
      NULL,
      LAG(day) OVER (PARTITION BY user_pseudo_id, purchase_id ORDER BY day, ts, revenue_micros)
    ) AS earlier_day
  FROM key_event_columns
),

key_events_by_snapshot AS (
  SELECT
    k.*,
    snapshot_date,
    UNIX_DATE(snapshot_date) - k.day AS age,
    k.earlier_day IS NULL OR UNIX_DATE(snapshot_date) - k.earlier_day > @lookback_days AS is_first
  FROM key_events AS k
  CROSS JOIN UNNEST(@snapshot_dates) AS snapshot_date
  WHERE UNIX_DATE(snapshot_date) - k.day BETWEEN 1 AND @lookback_days
    OR k.day - UNIX_DATE(snapshot_date) BETWEEN @gap_days AND @gap_days + @horizon_days - 1
),

outcomes AS (
  SELECT
    user_pseudo_id,
    snapshot_date,
    COUNT(IF(age BETWEEN 1 AND 30 AND event_name = 'purchase', 1, NULL)) AS purchases,
    SUM(IF(age BETWEEN 1 AND 30 AND event_name = 'purchase', revenue_micros, 0)) AS purchase_micros,
    MIN(IF(age >= 1 AND event_name = 'purchase', age, NULL)) AS purchase_age,
    COUNT(IF(age >= 1, unread_revenue, NULL)) AS unread_revenues,
    COUNT(IF(age >= 1 AND event_name = @conversion_event, 1, NULL)) AS past_conversions,
    COUNT(IF(age < 1 AND event_name = @conversion_event, 1, NULL)) AS conversions
  FROM key_events_by_snapshot
  WHERE is_first
  GROUP BY user_pseudo_id, snapshot_date
)

SELECT
  h.user_pseudo_id,
  h.snapshot_date,
  CAST(IF((COALESCE(o.conversions, 0) > 0) = (@label_is = 'conversion'), 1, 0) AS INT64) AS converted,
  CAST(h.sessions_a AS INT64) AS sessions_1_7,
  CAST(h.sessions_b AS INT64) AS sessions_8_14,
  CAST(h.sessions_c AS INT64) AS sessions_15_30,
  CAST(h.events_a AS INT64) AS events_1_7,
  CAST(h.events_b AS INT64) AS events_8_14,
  CAST(h.events_c AS INT64) AS events_15_30,
  CAST(h.page_views_a AS INT64) AS page_views_1_7,
  CAST(h.page_views_b AS INT64) AS page_views_8_14,
  CAST(h.page_views_c AS INT64) AS page_views_15_30,
  CAST(h.item_views_a AS INT64) AS item_views_1_7,
  CAST(h.item_views_b AS INT64) AS item_views_8_14,
  CAST(h.item_views_c AS INT64) AS item_views_15_30,
  CAST(h.carts_a AS INT64) AS carts_1_7,
  CAST(h.carts_b AS INT64) AS carts_8_14,
  CAST(h.carts_c AS INT64) AS carts_15_30,
  CAST(h.checkouts_a AS INT64) AS checkouts_1_7,
  CAST(h.checkouts_bc AS INT64) AS checkouts_8_30,
  CAST(COALESCE(o.purchases, 0) AS INT64) AS purchases_1_30,
  CAST(COALESCE(o.purchase_micros, 0) AS FLOAT64) / 1000000 AS revenue_1_30,
  CAST(h.engagement_a AS FLOAT64) / 1000 AS engagement_s_1_7,
  CAST(h.engagement_bc AS FLOAT64) / 1000 AS engagement_s_8_30,
  CAST(h.active_days AS INT64) AS active_days_1_30,
  CAST(h.youngest_age AS INT64) AS recency_days,
  CAST(h.cart_age AS INT64) AS days_since_cart,
  CAST(o.purchase_age AS INT64) AS days_since_purchase,
  CAST(h.greatest_session_number AS INT64) AS session_number_max,
  CAST(
    GREATEST(
      h.oldest_age,
      COALESCE(
        UNIX_DATE(h.snapshot_date) - UNIX_DATE(DATE(TIMESTAMP_MICROS(h.earliest_first_touch_ts), @time_zone)),
        h.oldest_age
      )
    ) AS INT64
  ) AS tenure_days,
  CAST(SAFE_DIVIDE(h.session_events, h.all_sessions) AS FLOAT64) AS events_per_session,
  CAST(SAFE_DIVIDE(h.session_page_views, h.all_sessions) AS FLOAT64) AS pages_per_session,
  CAST(SAFE_DIVIDE(h.session_micros, h.all_sessions) AS FLOAT64) / 1000000 AS session_duration_s,
  CAST(SAFE_DIVIDE(h.engaged_sessions, h.all_sessions) AS FLOAT64) AS engaged_session_share,
  CAST(SAFE_DIVIDE(h.evening_events, h.all_events) AS FLOAT64) AS evening_share,
  CAST(SAFE_DIVIDE(h.weekend_events, h.all_events) AS FLOAT64) AS weekend_share,
  CAST(EXTRACT(HOUR FROM TIMESTAMP_MICROS(h.newest_ts) AT TIME ZONE @time_zone) AS INT64) AS last_hour,
  CAST(SAFE_DIVIDE(h.sessions_a * 23, (h.sessions_b + h.sessions_c) * 7) AS FLOAT64) AS sessions_trend,
  CAST(SAFE_DIVIDE(h.page_views_a * 23, (h.page_views_b + h.page_views_c) * 7) AS FLOAT64) AS page_views_trend,
  CAST(h.newest_device AS STRING) AS device_category,
  CAST(h.newest_os AS STRING) AS operating_system,
  CAST(h.newest_browser AS STRING) AS browser,
  CAST(h.newest_language AS STRING) AS language,
  CAST(h.newest_country AS STRING) AS country,
  CAST(h.newest_region AS STRING) AS region,
  CAST(h.newest_source AS STRING) AS source,
  CAST(h.newest_medium AS STRING) AS medium,
  CAST(h.newest_event_source AS STRING) AS session_source,
  CAST(h.newest_event_medium AS STRING) AS session_medium,
  CAST(h.unread_sessions AS INT64) AS unread_ga_session_id,
  CAST(h.unread_numbers AS INT64) AS unread_ga_session_number,
  CAST(h.unread_engagements AS INT64) AS unread_engagement_time_msec,
  CAST(h.unread_flags AS INT64) AS unread_session_engaged,
  CAST(COALESCE(o.unread_revenues, 0) AS INT64) AS unread_purchase_revenue
FROM histories AS h
LEFT JOIN outcomes AS o ON o.user_pseudo_id = h.user_pseudo_id AND o.snapshot_date = h.snapshot_date
WHERE @eligibility = 'all' OR COALESCE(o.past_conversions, 0) = 0
