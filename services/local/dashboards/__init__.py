"""Dashboards as code: one definition, from which Grafana's files are rendered, and by which a test asks Prometheus.

panels     what a panel is: its question in two languages, its query, its unit
boards     the dashboards themselves: for the city's operators, for a hospital, for engineers
grafana    written as Grafana reads them: `bowei dashboards deploy/grafana`
"""
