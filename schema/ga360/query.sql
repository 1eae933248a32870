-- One row per visitor and snapshot date from a Google Analytics 360 export, all snapshots in one query.
--
-- With S the snapshot date, features see the days [S - @lookback_days, S) only. The label sees
-- [S + @gap_days, S + @gap_days + @horizon_days). A visitor has a row for S if they have a session in the lookback.
-- Days are `date`, which is in the view's time zone. Start times only order sessions and give the hour of day.
-- A session that lasts past midnight has two rows in the export and counts on both days.
--
-- @conversion_event is 'transaction' (a session with one) or 'session' (any session; no session is churn).
--
-- An age is the number of days from a session to the snapshot: 1 is the day before it; 0 or less is at or after it.
WITH sessions AS (
  SELECT
    s.fullVisitorId,
    UNIX_DATE(PARSE_DATE('%Y%m%d', s.date)) AS day,
    s.visitStartTime AS start_s,
    CAST(s.visitStartTime AS STRING) AS stamp,
    s.visitNumber AS visit_number,
    EXTRACT(HOUR FROM TIMESTAMP_MICROS(s.visitStartTime * 1000000) AT TIME ZONE @time_zone) AS hour_of_day,
    COALESCE(s.totals.visits, 0) AS n_visits,  -- 0: a session without an interaction
    COALESCE(s.totals.hits, 0) AS n_hits,
    COALESCE(s.totals.pageviews, 0) AS n_page_views,
    COALESCE(s.totals.timeOnSite, 0) AS n_seconds,
    COALESCE(s.totals.bounces, 0) AS n_bounces,
    COALESCE(s.totals.newVisits, 0) AS n_first_visits,
    COALESCE(s.totals.transactions, 0) AS n_transactions,
    CAST(COALESCE(s.totals.transactionRevenue, 0) AS FLOAT64) AS revenue_micros,  -- sums may exceed INT64
    s.device.deviceCategory AS device_type,
    s.device.operatingSystem AS os,
    s.device.browser AS web_browser,
    s.device.language AS device_language,
    s.geoNetwork.country AS geo_country,
    s.geoNetwork.region AS geo_region,
    s.trafficSource.source AS traffic_source,
    s.trafficSource.medium AS traffic_medium,
    s.channelGrouping AS channel_group
  FROM `ga_sessions_*` AS s
  WHERE s._TABLE_SUFFIX BETWEEN @first_suffix AND @last_suffix
    AND s._TABLE_SUFFIX IN UNNEST(@table_suffixes)
    AND s.fullVisitorId IS NOT NULL
),

-- The last value of a category is the maximum of start time || value. Times in seconds have 10 digits, so the texts
-- sort as the times do, and sessions with the same start give the same answer in every run.
sessions_by_snapshot AS (
  SELECT
    s.*,
    snapshot_date,
    UNIX_DATE(snapshot_date) - s.day AS age,
    IF(MOD(s.day + 3, 7) >= 5, 1, 0) AS is_weekend,  -- 1970-01-01 was a Thursday: 0 is Monday
    s.stamp || NULLIF(s.device_type, '') AS last_device,
    s.stamp || NULLIF(s.os, '') AS last_os,
    s.stamp || NULLIF(s.web_browser, '') AS last_browser,
    s.stamp || NULLIF(s.device_language, '') AS last_language,
    s.stamp || NULLIF(s.geo_country, '') AS last_country,
    s.stamp || NULLIF(s.geo_region, '') AS last_region,
    s.stamp || NULLIF(s.traffic_source, '') AS last_source,
    s.stamp || NULLIF(s.traffic_medium, '') AS last_medium,
    s.stamp || NULLIF(s.channel_group, '') AS last_channel
  FROM sessions AS s
  CROSS JOIN UNNEST(@snapshot_dates) AS snapshot_date
  WHERE UNIX_DATE(snapshot_date) - s.day BETWEEN 1 AND @lookback_days
),

histories AS (
  SELECT
    fullVisitorId,
    snapshot_date,
    SUM(IF(age BETWEEN 1 AND 7, n_visits, 0)) AS sessions_a,
    SUM(IF(age BETWEEN 8 AND 14, n_visits, 0)) AS sessions_b,
    SUM(IF(age BETWEEN 15 AND 30, n_visits, 0)) AS sessions_c,
    SUM(IF(age BETWEEN 1 AND 7, n_hits, 0)) AS hits_a,
    SUM(IF(age BETWEEN 8 AND 14, n_hits, 0)) AS hits_b,
    SUM(IF(age BETWEEN 15 AND 30, n_hits, 0)) AS hits_c,
    SUM(IF(age BETWEEN 1 AND 7, n_page_views, 0)) AS page_views_a,
    SUM(IF(age BETWEEN 8 AND 14, n_page_views, 0)) AS page_views_b,
    SUM(IF(age BETWEEN 15 AND 30, n_page_views, 0)) AS page_views_c,
    SUM(IF(age BETWEEN 1 AND 7, n_seconds, 0)) AS seconds_a,
    SUM(IF(age BETWEEN 8 AND 30, n_seconds, 0)) AS seconds_bc,
    SUM(IF(age BETWEEN 1 AND 30, n_transactions, 0)) AS purchases,
    SUM(IF(age BETWEEN 1 AND 30, revenue_micros, 0)) AS purchase_micros,
    BIT_COUNT(BIT_OR(IF(age BETWEEN 1 AND 30, CAST(1 AS INT64) << age, 0))) AS active_days,  -- a bit for each day
    MIN(age) AS youngest_age,
    MAX(age) AS oldest_age,
    MIN(IF(n_transactions > 0, age, NULL)) AS purchase_age,
    MAX(visit_number) AS max_visit_number,
    MAX(n_first_visits) AS first_visits,
    MAX(start_s) AS newest_s,
    COUNT(*) AS all_rows,
    SUM(n_visits) AS all_sessions,
    SUM(n_visits * n_hits) AS session_hits,
    SUM(n_visits * n_page_views) AS session_page_views,
    SUM(n_visits * n_seconds) AS session_seconds,
    SUM(n_bounces) AS bounces,
    COUNT(IF(hour_of_day >= 18, 1, NULL)) AS evening_rows,
    SUM(is_weekend) AS weekend_rows,
    SUBSTR(MAX(last_device), 11) AS newest_device,
    SUBSTR(MAX(last_os), 11) AS newest_os,
    SUBSTR(MAX(last_browser), 11) AS newest_browser,
    SUBSTR(MAX(last_language), 11) AS newest_language,
    SUBSTR(MAX(last_country), 11) AS newest_country,
    SUBSTR(MAX(last_region), 11) AS newest_region,
    SUBSTR(MAX(last_source), 11) AS newest_source,
    SUBSTR(MAX(last_medium), 11) AS newest_medium,
    SUBSTR(MAX(last_channel), 11) AS newest_channel
  FROM sessions_by_snapshot
  GROUP BY fullVisitorId, snapshot_date
),

-- Steps towards a purchase: 2 is a product's detail view, 3 an addition to the cart, 5 a checkout.
steps AS (
  SELECT
    s.fullVisitorId,
    UNIX_DATE(PARSE_DATE('%Y%m%d', s.date)) AS day,
    h.eCommerceAction.action_type AS step
  FROM `ga_sessions_*` AS s
  CROSS JOIN UNNEST(s.hits) AS h
  WHERE s._TABLE_SUFFIX BETWEEN @first_suffix AND @last_suffix
    AND s._TABLE_SUFFIX IN UNNEST(@table_suffixes)
    AND s.fullVisitorId IS NOT NULL
    AND h.eCommerceAction.action_type IN ('2', '3', '5')
),

steps_by_snapshot AS (
  SELECT t.*, snapshot_date, UNIX_DATE(snapshot_date) - t.day AS age
  FROM steps AS t
  CROSS JOIN UNNEST(@snapshot_dates) AS snapshot_date
  WHERE UNIX_DATE(snapshot_date) - t.day BETWEEN 1 AND @lookback_days
),

step_counts AS (
  SELECT
    fullVisitorId,
    snapshot_date,
    COUNT(IF(step = '2' AND age BETWEEN 1 AND 7, 1, NULL)) AS item_views_a,
    COUNT(IF(step = '2' AND age BETWEEN 8 AND 14, 1, NULL)) AS item_views_b,
    COUNT(IF(step = '2' AND age BETWEEN 15 AND 30, 1, NULL)) AS item_views_c,
    COUNT(IF(step = '3' AND age BETWEEN 1 AND 7, 1, NULL)) AS carts_a,
    COUNT(IF(step = '3' AND age BETWEEN 8 AND 14, 1, NULL)) AS carts_b,
    COUNT(IF(step = '3' AND age BETWEEN 15 AND 30, 1, NULL)) AS carts_c,
    COUNT(IF(step = '5' AND age BETWEEN 1 AND 7, 1, NULL)) AS checkouts_a,
    COUNT(IF(step = '5' AND age BETWEEN 8 AND 30, 1, NULL)) AS checkouts_bc,
    MIN(IF(step = '3', age, NULL)) AS cart_age
  FROM steps_by_snapshot
  GROUP BY fullVisitorId, snapshot_date
),

conversions_by_snapshot AS (
  SELECT s.fullVisitorId, snapshot_date, UNIX_DATE(snapshot_date) - s.day AS age
  FROM sessions AS s
  CROSS JOIN UNNEST(@snapshot_dates) AS snapshot_date
  WHERE (@conversion_event = 'session' OR (@conversion_event = 'transaction' AND s.n_transactions > 0))
    AND (
      UNIX_DATE(snapshot_date) - s.day BETWEEN 1 AND @lookback_days
      OR s.day - UNIX_DATE(snapshot_date) BETWEEN @gap_days AND @gap_days + @horizon_days - 1
    )
),

outcomes AS (
  SELECT
    fullVisitorId,
    snapshot_date,
    COUNT(IF(age >= 1, 1, NULL)) AS past_conversions,
    COUNT(IF(age < 1, 1, NULL)) AS conversions
  FROM conversions_by_snapshot
  GROUP BY fullVisitorId, snapshot_date
)

SELECT
  h.fullVisitorId,
  h.snapshot_date,
  CAST(IF((COALESCE(o.conversions, 0) > 0) = (@label_is = 'conversion'), 1, 0) AS INT64) AS converted,
  CAST(h.sessions_a AS INT64) AS sessions_1_7,
  CAST(h.sessions_b AS INT64) AS sessions_8_14,
  CAST(h.sessions_c AS INT64) AS sessions_15_30,
  CAST(h.hits_a AS INT64) AS hits_1_7,
  CAST(h.hits_b AS INT64) AS hits_8_14,
  CAST(h.hits_c AS INT64) AS hits_15_30,
  CAST(h.page_views_a AS INT64) AS page_views_1_7,
  CAST(h.page_views_b AS INT64) AS page_views_8_14,
  CAST(h.page_views_c AS INT64) AS page_views_15_30,
  CAST(COALESCE(c.item_views_a, 0) AS INT64) AS item_views_1_7,
  CAST(COALESCE(c.item_views_b, 0) AS INT64) AS item_views_8_14,
  CAST(COALESCE(c.item_views_c, 0) AS INT64) AS item_views_15_30,
  CAST(COALESCE(c.carts_a, 0) AS INT64) AS carts_1_7,
  CAST(COALESCE(c.carts_b, 0) AS INT64) AS carts_8_14,
  CAST(COALESCE(c.carts_c, 0) AS INT64) AS carts_15_30,
  CAST(COALESCE(c.checkouts_a, 0) AS INT64) AS checkouts_1_7,
  CAST(COALESCE(c.checkouts_bc, 0) AS INT64) AS checkouts_8_30,
  CAST(h.purchases AS INT64) AS purchases_1_30,
  CAST(h.purchase_micros AS FLOAT64) / 1000000 AS revenue_1_30,
  CAST(h.seconds_a AS INT64) AS time_on_site_s_1_7,
  CAST(h.seconds_bc AS INT64) AS time_on_site_s_8_30,
  CAST(h.active_days AS INT64) AS active_days_1_30,
  CAST(h.youngest_age AS INT64) AS recency_days,
  CAST(c.cart_age AS INT64) AS days_since_cart,
  CAST(h.purchase_age AS INT64) AS days_since_purchase,
  CAST(h.max_visit_number AS INT64) AS visit_number_max,
  CAST(h.first_visits AS INT64) AS first_visit_seen,
  CAST(h.oldest_age AS INT64) AS tenure_days,
  CAST(SAFE_DIVIDE(h.session_hits, h.all_sessions) AS FLOAT64) AS hits_per_session,
  CAST(SAFE_DIVIDE(h.session_page_views, h.all_sessions) AS FLOAT64) AS pages_per_session,
  CAST(SAFE_DIVIDE(h.session_seconds, h.all_sessions) AS FLOAT64) AS session_duration_s,
  CAST(SAFE_DIVIDE(h.bounces, h.all_sessions) AS FLOAT64) AS bounce_share,
  CAST(SAFE_DIVIDE(h.evening_rows, h.all_rows) AS FLOAT64) AS evening_share,
  CAST(SAFE_DIVIDE(h.weekend_rows, h.all_rows) AS FLOAT64) AS weekend_share,
  CAST(EXTRACT(HOUR FROM TIMESTAMP_MICROS(h.newest_s * 1000000) AT TIME ZONE @time_zone) AS INT64) AS last_hour,
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
  CAST(h.newest_channel AS STRING) AS channel
FROM histories AS h
LEFT JOIN step_counts AS c ON c.fullVisitorId = h.fullVisitorId AND c.snapshot_date = h.snapshot_date
LEFT JOIN outcomes AS o ON o.fullVisitorId = h.fullVisitorId AND o.snapshot_date = h.snapshot_date
WHERE @eligibility = 'all' OR COALESCE(o.past_conversions, 0) = 0
