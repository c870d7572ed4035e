// Package daaudit watches a data committee: time and again it asks operators for random
// cells of certificates that L1 has verified, and reports who gives them, who has lost
// them, and who does not answer (docs/spec/da.md, "Sampling and audits"). It trusts L1
// alone, needs no node, and may run anywhere, many times.
package daaudit
