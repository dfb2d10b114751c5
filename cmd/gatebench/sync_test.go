package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

type fakeSection struct {
	rows []row
	full bool
	err  error
	ran  int
}

func (f *fakeSection) flags(*flag.FlagSet) {}

func (f *fakeSection) measure(context.Context, syncOptions, io.Writer, io.Writer) ([]row, bool, error) {
	f.ran++
	return f.rows, f.full, f.err
}

// TestRunSections holds what is kept, and when a goal counts as missed.
func TestRunSections(t *testing.T) {
	broken := errors.New("no broker")
	for _, c := range []struct {
		name   string
		a, b   fakeSection
		only   string
		want   error
		stored bool
		ran    [2]int
	}{
		{"all", fakeSection{full: true, rows: []row{{Name: "x", OK: true}}}, fakeSection{full: true}, "", nil, true, [2]int{1, 1}},
		{"one of them", fakeSection{full: true, rows: []row{{Name: "x", OK: true}}}, fakeSection{}, "a", nil, false, [2]int{1, 0}},
		{"a small run", fakeSection{full: true}, fakeSection{rows: []row{{Name: "x", Goal: "1"}}}, "", nil, false, [2]int{1, 1}},
		{"a goal missed", fakeSection{full: true, rows: []row{{Name: "x", Goal: "1"}}}, fakeSection{full: true}, "", errGoal, true, [2]int{1, 1}},
		{"a section that could not", fakeSection{err: broken}, fakeSection{full: true}, "", broken, false, [2]int{1, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "bench.json")
			var out bytes.Buffer
			err := runSections(t.Context(), "sync", syncOptions{}, []namedSection{{"a", &c.a}, {"b", &c.b}}, c.only, file, &out, io.Discard)
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if got := [2]int{c.a.ran, c.b.ran}; got != c.ran {
				t.Errorf("sections ran %v times, want %v", got, c.ran)
			}
			if _, err := os.Stat(file); (err == nil) != c.stored {
				t.Errorf("results stored: %v, want %v", err == nil, c.stored)
			}
		})
	}
}

// TestSyncSections holds the names apart, of sections and of their flags.
func TestSyncSections(t *testing.T) {
	var seen []string
	for _, s := range syncSections() {
		if s.name == "" || slices.Contains(seen, s.name) {
			t.Errorf("section %q twice", s.name)
		}
		seen = append(seen, s.name)
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		s.flags(fs)
		fs.VisitAll(func(f *flag.Flag) {
			if !strings.HasPrefix(f.Name, s.name+"-") {
				t.Errorf("flag --%s of section %s does not begin with its name", f.Name, s.name)
			}
		})
	}
}
