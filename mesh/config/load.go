// Package config fills a struct from its defaults, a YAML file, the environment and flags, and describes it to people.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	envprovider "github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

const (
	envPrefix = "PLENUM_"
	fileFlag  = "config"
	fileEnv   = envPrefix + "CONFIG"
	printFlag = "print-config"
)

// Help is the answer to --help and --print-config. It comes as an error, so that nothing starts, with exit code 0.
type Help struct{ Text string }

// Error returns the text for standard output.
func (h Help) Error() string { return h.Text }

// ExitCode tells run.Main that nothing went wrong.
func (h Help) ExitCode() int { return 0 }

// Load fills dst, a pointer to a struct that holds the defaults. Later sources win: the YAML file that --config or
// PLENUM_CONFIG names, the variables PLENUM_<PATH>, the flags --<path>. What no field asks for is an error in every source.
// Fields have the tags koanf (the name; "-": not a setting) and doc. Last, every struct's Validate() error is called.
// Errors are one line that says where the fault is. name is the program's, args come without it, environ as from os.Environ. commands
// are what may stand before the flags, each a line for --help; the program takes them off itself.
func Load(dst any, args, environ []string, name string, commands ...string) error {
	fields, err := fieldsOf(dst)
	if err != nil {
		return err
	}
	flags := flagSet(fields, name)
	help := helpText(flags, name, commands)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return Help{help}
		}
		return fmt.Errorf("%w (see %s --help)", err, name)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q (see %s --help)", flags.Arg(0), name)
	}
	path := flags.Lookup(fileFlag).Value.String()
	if path == "" {
		path = lookup(environ, fileEnv)
	}
	if path != "" {
		if err := loadFile(fields, path); err != nil {
			return err
		}
	}
	if err := loadEnv(fields, environ); err != nil {
		return err
	}
	if err := loadFlags(fields, flags); err != nil {
		return err
	}
	if err := validate("", reflect.ValueOf(dst).Elem()); err != nil {
		return err
	}
	if flags.Lookup(printFlag).Value.String() == "true" {
		return Help{printText(fields)}
	}
	return nil
}

func lookup(environ []string, name string) string {
	for _, e := range slices.Backward(environ) {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

func loadFile(fields []field, path string) error {
	k := koanf.New(".")
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		return fmt.Errorf("configuration file %s: %w", path, err)
	}
	if err := known(fields, k.Raw(), ""); err != nil {
		return fmt.Errorf("configuration file %s: %w", path, err)
	}
	return set(fields, k, func(f field) string { return fmt.Sprintf("configuration file %s: %s", path, f.path) })
}

// known reports a key of the file that no field asks for.
func known(fields []field, m map[string]any, prefix string) error {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		path := strings.TrimPrefix(prefix+"."+key, ".")
		if slices.ContainsFunc(fields, func(f field) bool { return f.path == path && !strings.Contains(key, ".") }) {
			continue
		}
		section := slices.ContainsFunc(fields, func(f field) bool { return strings.HasPrefix(f.path, path+".") })
		inner, isMap := m[key].(map[string]any)
		switch {
		case strings.Contains(key, "."):
			return fmt.Errorf("unknown key %q: write each part on its own level", key)
		case section && m[key] == nil: // "rpc:" with nothing below
		case section && !isMap:
			return fmt.Errorf("%s holds settings, not a value", path)
		case !section:
			return unknownKey(fields, path, func(f field) string { return f.path })
		default:
			if err := known(fields, inner, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// serviceLinks are the variables that Kubernetes sets for a service called plenum; they are not meant for us.
var serviceLinks = regexp.MustCompile(`^PLENUM_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_.*)?)$`)

func loadEnv(fields []field, environ []string) error {
	byEnv := map[string]field{}
	for _, f := range fields {
		byEnv[f.env()] = f
	}
	var unknown []string
	k := koanf.New(".")
	err := k.Load(envprovider.Provider(".", envprovider.Opt{
		Prefix: envPrefix, EnvironFunc: func() []string { return environ },
		TransformFunc: func(key, value string) (string, any) {
			f, ok := byEnv[key]
			switch {
			case ok && f.isMap():
				unknown = append(unknown, key+" can only be set in a file")
			case ok:
				return f.path, value
			case key != fileEnv && !serviceLinks.MatchString(key):
				unknown = append(unknown, "environment: "+unknownKey(fields, key, field.env).Error())
			}
			return "", nil
		},
	}), nil)
	if err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return errors.New(unknown[0])
	}
	return set(fields, k, field.env)
}

func loadFlags(fields []field, flags *pflag.FlagSet) error {
	k := koanf.New(".")
	flags.Visit(func(f *pflag.Flag) {
		if f.Name != fileFlag && f.Name != printFlag {
			_ = k.Set(f.Name, f.Value.String()) // fails on an empty name only
		}
	})
	return set(fields, k, func(f field) string { return "--" + f.path })
}

// set decodes what a source holds into the fields. A list or map replaces the one before.
func set(fields []field, k *koanf.Koanf, where func(field) string) error {
	for _, f := range fields {
		if !k.Exists(f.path) {
			continue
		}
		fresh := reflect.New(f.value.Type())
		d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
			Result: fresh.Interface(), TagName: "koanf", ErrorUnused: true, WeaklyTypedInput: true,
			DecodeHook: mapstructure.ComposeDecodeHookFunc(
				readSecret, needUnit, exactNumber, mapstructure.StringToTimeDurationHookFunc(), splitList, mapstructure.TextUnmarshallerHookFunc()),
		})
		if err == nil {
			err = d.Decode(k.Get(f.path))
		}
		if err != nil {
			if f.secret() { // the decoder's error may hold the value
				if unread, ok := errors.AsType[*fs.PathError](err); ok {
					return fmt.Errorf("%s: can't read the secret: %w", where(f), unread)
				}
				return fmt.Errorf("%s: a secret is a text", where(f))
			}
			return fmt.Errorf("%s: %s is not a %s: %s", where(f), quote(k.Get(f.path)), f.kind(), lastLine(err))
		}
		f.value.Set(fresh.Elem())
	}
	return nil
}

func quote(v any) string { return fmt.Sprintf("%q", fmt.Sprint(v)) }

// lastLine leaves out mapstructure's headings.
func lastLine(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "'' "))
}

func readSecret(_, to reflect.Type, v any) (any, error) {
	s, ok := v.(string)
	if to != reflect.TypeFor[Secret]() || !ok {
		return v, nil
	}
	path, isFile := strings.CutPrefix(s, "file:")
	if !isFile {
		return s, nil
	}
	b, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err //nolint:wrapcheck // set says where
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

var errNoUnit = errors.New(`write it with a unit, like "10s"`)

func needUnit(from, to reflect.Type, v any) (any, error) {
	if to == reflect.TypeFor[time.Duration]() && from.Kind() != reflect.String && !reflect.ValueOf(v).IsZero() {
		return nil, errNoUnit
	}
	return v, nil
}

// exactNumber has numbers parsed from their text: the decoder would wrap and cut those that don't fit.
func exactNumber(from, to reflect.Type, v any) (any, error) {
	number := func(t reflect.Type) bool { return reflect.Int <= t.Kind() && t.Kind() <= reflect.Float64 }
	if number(from) && number(to) && to != reflect.TypeFor[time.Duration]() {
		return fmt.Sprint(v), nil
	}
	return v, nil
}

func splitList(from, to reflect.Type, v any) (any, error) {
	s, ok := v.(string)
	if !ok || from.Kind() != reflect.String || to.Kind() != reflect.Slice {
		return v, nil
	}
	list := []string{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list, nil
}

// unknownKey names the nearest setting, for most unknown ones are misspelt.
func unknownKey(fields []field, key string, name func(field) string) error {
	best, distance := "", 4
	for _, f := range fields {
		if d := editDistance(key, name(f)); d < distance {
			best, distance = name(f), d
		}
	}
	if best == "" {
		return fmt.Errorf("unknown setting %s", key)
	}
	return fmt.Errorf("unknown setting %s; did you mean %s?", key, best)
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
