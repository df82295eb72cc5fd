package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the sample configuration")

const samplePath = "../../../orrery.yml"

// headings stand above keys in the sample.
var headings = map[string]string{
	"node-name":        "This member",
	"bind-addr":        "Where it listens. Others must reach the gossip (TCP and UDP) and the RPC port",
	"bootstrap-expect": "The cluster",
	"encrypt":          "Who may do what. Without encrypt, an agent outside dev does not start",
	"slots":            "What runs here",
	"timezone":         "For the whole cluster: give all servers the same",
	"log-level":        "What it tells",
	"webhook-endpoint": "Who is told of executions, for jobs that say nothing else themselves",
	"ui":               "Of Dkron, without effect in this release",
}

// sampleText is a configuration that gives no key and names them all.
func sampleText() string {
	var b strings.Builder
	b.WriteString("# /etc/orrery/orrery.yml: all keys, with their defaults. Each is also a flag (--rpc-port) and a variable\n" +
		"# (ORRERY_RPC_PORT); a flag wins over a variable, that over this file. SIGHUP applies keys marked (live) at once.\n")
	for _, k := range keys {
		if heading, ok := headings[k.name]; ok {
			fmt.Fprintf(&b, "\n# ---- %s\n", heading)
		}
		help := strings.TrimSuffix(k.help, "; may be given again")
		if k.live {
			help += " (live)"
		}
		fmt.Fprintf(&b, "\n# %s\n#%s: %s\n", help, k.name, sampleValue(k))
	}
	return b.String()
}

func sampleValue(k key) string {
	switch {
	case k.kind == kindTags:
		return "{role: web}"
	case k.name == "timezone":
		return "UTC"
	case k.kind == kindWords || k.kind == kindLines:
		return "[]"
	case k.kind == kindBool && k.preset == nil:
		return "false"
	case k.kind == kindInt && k.preset == nil:
		return "0"
	case k.kind == kindText:
		return fmt.Sprintf("%q", show(k.preset))
	}
	return show(k.preset)
}

func TestSampleConfigurationNamesAllKeys(t *testing.T) {
	if *update {
		write(t, samplePath, sampleText())
	}
	have, err := os.ReadFile(samplePath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), sampleText()); diff != "" {
		t.Errorf("orrery.yml is not what the keys say; make golden writes it (-have +want):\n%s", diff)
	}
}

// A sample that is uncommented is the default configuration.
func TestSampleConfigurationHoldsTheDefaults(t *testing.T) {
	var lines []string
	for line := range strings.Lines(sampleText()) {
		if rest, ok := strings.CutPrefix(line, "#"); ok && !strings.HasPrefix(rest, " ") && !strings.HasPrefix(rest, "node-name") && !strings.HasPrefix(rest, "tags") && !strings.HasPrefix(rest, "timezone") {
			lines = append(lines, rest)
		}
	}
	given := strings.Replace(strings.Join(lines, ""), `encrypt: ""`, "encrypt: "+secret+"\nallow-anonymous: true", 1)
	given = strings.Replace(given, "allow-anonymous: false\n", "", 1)
	uncommented, _, err := load(t, given, nil)
	if err != nil {
		t.Fatal(err)
	}
	preset, _, err := load(t, "", nil, "--encrypt="+secret, "--allow-anonymous")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(preset, uncommented, cmp.FilterValues(func(a, b []string) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())); diff != "" {
		t.Errorf("(-defaults +sample):\n%s", diff)
	}
}
