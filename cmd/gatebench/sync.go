package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// syncOptions are what every section of the sync part is given.
type syncOptions struct {
	bin  string // folder of the programs
	work string // folder for stations, which a section makes anew below its own name
	seed uint64
}

// syncSection measures one group of rows. Its own settings are flags whose
// names begin with the section's.
type syncSection interface {
	flags(fs *flag.FlagSet)
	// measure says on out what it found and on progress how far it is. Whole
	// reports whether everything was measured at its full size; smaller runs
	// are not kept and prove no goal.
	measure(ctx context.Context, o syncOptions, out, progress io.Writer) (rows []row, whole bool, err error)
}

// namedSection is a section with the name by which --only chooses it.
type namedSection struct {
	name string
	syncSection
}

// syncSections lists the sections in the order in which they run. A new one is
// a file of its own and a line here.
func syncSections() []namedSection {
	return []namedSection{
		{"suspension", &suspension{}},
		{"backlog", &backlog{}},
	}
}

func syncPart(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o syncOptions
	sections := syncSections()
	names := make([]string, len(sections))
	for i, s := range sections {
		names[i] = s.name
	}
	fs := flag.NewFlagSet("gatebench sync", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.bin, "bin", "bin", "folder of gated, gatesim and hqd")
	fs.StringVar(&o.work, "work", "out/bench/sync", "folder of the simulated stations")
	fs.Uint64Var(&o.seed, "seed", 1, "of what is drawn by lot")
	out := fs.String("out", "out/bench.json", "file of results")
	only := fs.String("only", "", "one section: "+strings.Join(names, ", "))
	for _, s := range sections {
		s.flags(fs)
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch {
	case len(sections) == 0:
		return errors.New("sync: not there yet: its sections come with the work on them")
	case *only != "" && !slices.Contains(names, *only):
		return fmt.Errorf("--only %s: there are %s", *only, strings.Join(names, ", "))
	}
	return runSections(ctx, "sync", o, sections, *only, *out, stdout, stderr)
}

// runSections measures all sections, or the one named, and keeps the rows of a
// run of all at full size.
func runSections(ctx context.Context, part string, o syncOptions, sections []namedSection, only, out string, stdout, stderr io.Writer) error {
	var rows []row
	whole := only == ""
	for _, s := range sections {
		if only != "" && only != s.name {
			continue
		}
		more, full, err := s.measure(ctx, o, stdout, stderr)
		if err != nil {
			return fmt.Errorf("measure %s: %w", s.name, err)
		}
		rows, whole = append(rows, more...), whole && full
	}
	return conclude(stdout, out, part, rows, whole)
}
