package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/talaria-l2/talaria/bench/core"
)

// version is set by the linker: the commit that this was built from.
var version = "unknown"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run() error {
	var o core.Options
	flag.StringVar(&o.Filter, "filter", "", "only workloads whose name or group contains this")
	flag.IntVar(&o.Rounds, "runs", 10, "rounds; the median is reported")
	flag.StringVar(&o.Fixtures, "fixtures", "", "directory of the public gas benchmarks [$TALARIA_FIXTURES, else ../shared/fixtures]")
	flag.StringVar(&o.Root, "root", ".", "directory of the module, below which Anvil is looked for")
	flag.BoolVar(&o.Large, "large", false, "also a trie of ten million accounts, which takes about 10 GB")
	asJSON := flag.Bool("json", false, "print the report as JSON")
	flag.Parse()
	if flag.NArg() > 0 || o.Rounds < 1 {
		flag.Usage()
		return fmt.Errorf("arguments %q: there are none, and -runs is at least 1", flag.Args())
	}
	o.Log, o.Commit = os.Stderr, version
	report, err := core.Run(o)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	return report.WriteTable(os.Stdout)
}
