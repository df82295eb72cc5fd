package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// Flags defines a flag for every key, and --config for the file. [Load] reads them.
func Flags(fs *pflag.FlagSet) {
	fs.String("config", "", "configuration file (default: orrery.yml, .yaml or .json in /etc/orrery, $HOME/.orrery or ./config)")
	for _, k := range keys {
		f := fs.VarPF(&flagValue{key: k}, k.flagName(), "", k.usage())
		if k.kind == kindBool {
			f.NoOptDefVal = "true"
		}
	}
}

// usage is the help of a key's flag.
func (k key) usage() string {
	if k.idle != "" {
		return k.help + " (without effect: " + k.idle + ")"
	}
	if text := show(k.preset); text != "" {
		return fmt.Sprintf("%s (default %s)", k.help, text)
	}
	return k.help
}

// show writes a preset as an operator would; "" for none.
func show(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case time.Duration:
		return shortDuration(value)
	case string:
		return value
	default:
		return fmt.Sprint(value)
	}
}

// shortDuration leaves out the zeros that time.Duration ends with.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// flagValue is a flag as it was given, checked at once so that the error names it.
type flagValue struct {
	key   key
	texts []string
}

func (f *flagValue) String() string { return strings.Join(f.texts, ",") }

func (f *flagValue) Type() string {
	return map[kind]string{kindText: "text", kindBool: "bool", kindInt: "number", kindBytes: "bytes", kindDuration: "duration",
		kindWords: "list", kindLines: "line", kindTags: "key=value"}[f.key.kind]
}

func (f *flagValue) Set(text string) error {
	texts := []string{text}
	if f.key.several() {
		if f.key.kind == kindWords || f.key.kind == kindTags {
			texts = f.key.split(text)
		}
		texts = append(f.texts, texts...)
	}
	if _, err := f.key.parse(texts); err != nil {
		return err
	}
	f.texts = texts
	return nil
}
