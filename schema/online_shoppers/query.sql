-- One row per session. Numbers that name a thing (a browser, a region) are categories and become text.
SELECT
  CAST(s.Administrative AS INT64) AS Administrative,
  CAST(s.Administrative_Duration AS FLOAT64) AS Administrative_Duration,
  CAST(s.Informational AS INT64) AS Informational,
  CAST(s.Informational_Duration AS FLOAT64) AS Informational_Duration,
  CAST(s.ProductRelated AS INT64) AS ProductRelated,
  CAST(s.ProductRelated_Duration AS FLOAT64) AS ProductRelated_Duration,
  CAST(s.BounceRates AS FLOAT64) AS BounceRates,
  CAST(s.ExitRates AS FLOAT64) AS ExitRates,
  CAST(s.PageValues AS FLOAT64) AS PageValues,
  CAST(s.SpecialDay AS FLOAT64) AS SpecialDay,
  s.Month,
  CAST(s.OperatingSystems AS STRING) AS OperatingSystems,
  CAST(s.Browser AS STRING) AS Browser,
  CAST(s.Region AS STRING) AS Region,
  CAST(s.TrafficType AS STRING) AS TrafficType,
  s.VisitorType,
  IF(s.Weekend, 'weekend', 'weekday') AS Weekend,
  IF(s.Revenue, 1, 0) AS purchased
FROM `sessions` AS s
