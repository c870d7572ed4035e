// Package telemetry names what Talaria measures. Metrics are Prometheus's; every
// name begins with talaria_. A process makes one Metrics and hands it to its roles;
// the core rooms know nothing of it.
package telemetry
