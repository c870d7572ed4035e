// Command gen writes the files of this repository that come from compiled contracts:
// Go bindings (l1/bindings), code of predeploys (bridge/predeploys) and the record of
// storage layouts (contracts/snapshots). contracts/bindings.sh compiles and calls it.
package main
