package simtest_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain has the suite do the same each time, and soon be done, unless flags say
// otherwise. Some properties fail on purpose: they leave no files, and are shrunk to the end
// however slow the machine is, since what is left of them is looked at.
func TestMain(m *testing.M) {
	usual := map[string]string{
		"rapid.checks": "8", "rapid.steps": "10", "rapid.seed": "1", "rapid.shrinktime": "5m", "rapid.nofailfile": "true",
	}
	flag.Parse()
	flag.Visit(func(f *flag.Flag) { delete(usual, f.Name) })
	for name, value := range usual {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
