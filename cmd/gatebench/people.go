package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// people measures what is for people: the traveller's screen in a browser. The
// tests of the screen are what drives it; they write a row for each figure.
func people(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("people", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("out", "out/bench.json", "`file` for the results")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gatebench")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(dir)
	figures := filepath.Join(dir, "figures")
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run", "TestMeasure", "./gate/screen")
	cmd.Env = append(os.Environ(), "BORDERGATE_PARTS=all", "BORDERGATE_MEASURE="+figures)
	cmd.Stdout, cmd.Stderr = stderr, stderr
	failed := cmd.Run()
	rows, err := readRows(figures)
	if err != nil || len(rows) == 0 {
		return errors.Join(fmt.Errorf("measure the screen: %w", errors.Join(errors.New("no figures"), err)), failed)
	}
	if err := conclude(stdout, *out, "people", rows, failed == nil); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("measure the screen: %w", failed)
	}
	return nil
}

// readRows reads rows, one a line.
func readRows(file string) ([]row, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read figures: %w", err)
	}
	defer f.Close()
	var rows []row
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("read figures: %w", err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}
