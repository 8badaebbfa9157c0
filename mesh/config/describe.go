package config

import (
	"fmt"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// printText is the settings as a YAML file would set them, with secrets masked.
func printText(fields []field) string {
	k := koanf.New(".")
	for _, f := range fields {
		var v any
		switch f.kind() {
		case "number", "switch", "map":
			v = f.value.Interface()
		case "list":
			v = f.value.Interface()
			if f.value.IsNil() {
				v = []string{}
			}
		default:
			v = f.text()
		}
		_ = k.Set(f.path, v) // fails on an empty path only
	}
	b, err := k.Marshal(yaml.Parser())
	if err != nil {
		return err.Error() + "\n"
	}
	return string(b)
}

// setting is a field as a flag: its text is decoded with the other sources.
type setting struct {
	kind, text string
}

func (s *setting) String() string     { return s.text }
func (s *setting) Set(v string) error { s.text = v; return nil }

// Type is what --help calls it. A bool is a flag that needs no value.
func (s *setting) Type() string {
	if s.kind == "switch" {
		return "bool"
	}
	return s.kind
}

// flagSet has a flag for every field but maps, which belong into files, and secrets, which every process list would show.
func flagSet(fields []field, name string) *pflag.FlagSet {
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	for _, f := range fields {
		if f.isMap() || f.secret() {
			continue
		}
		flag := flags.VarPF(&setting{f.kind(), f.text()}, f.path, "", f.doc)
		if f.kind() == "switch" {
			flag.NoOptDefVal = "true"
		}
	}
	flags.VarPF(&setting{"file", ""}, fileFlag, "", "YAML file with settings; the variable PLENUM_CONFIG names it too")
	flags.VarPF(&setting{"switch", "false"}, printFlag, "", "print the settings that are in force, secrets masked, and exit").NoOptDefVal = "true"
	return flags
}

func helpText(flags *pflag.FlagSet, name string, commands []string) string {
	usage := "[flags]\n"
	if len(commands) > 0 {
		usage = "[command] [flags]\n\n  " + strings.Join(commands, "\n  ") + "\n"
	}
	return fmt.Sprintf("Usage: %s %s\nEvery flag is also a key of the configuration file and a variable: --rpc.listen is PLENUM_RPC_LISTEN.\n"+
		"Secrets have no flag: set them in the file or the environment; file:PATH stands for a file's content.\n\n%s",
		name, usage, flags.FlagUsagesWrapped(110))
}
