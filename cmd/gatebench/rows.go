package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// errGoal is returned when all was measured and a goal was missed.
var errGoal = errors.New("a goal was missed")

// row is one result. Ratio is value over peer value.
type row struct {
	Name      string  `json:"name"`
	Part      string  `json:"part"`
	Value     float64 `json:"value"`
	Unit      string  `json:"unit"`
	Peer      string  `json:"peer"`
	PeerValue float64 `json:"peer_value"`
	Ratio     float64 `json:"ratio"`
	Goal      string  `json:"goal"`
	OK        bool    `json:"ok"`
}

// conclude prints what the goals came to and keeps the rows. A part that was
// not measured whole is not kept and proves no goal.
func conclude(w io.Writer, file, part string, rows []row, whole bool) error {
	missed := false
	fmt.Fprintln(w)
	for _, r := range rows {
		if r.Goal != "" {
			fmt.Fprintf(w, "%-46s %8.2f %-7s goal %-8s %v\n", r.Name, r.Value, r.Unit, r.Goal, map[bool]string{true: "met", false: "MISSED"}[r.OK])
		}
		missed = missed || !r.OK
	}
	if !whole {
		return nil
	}
	if err := keep(file, part, rows); err != nil {
		return err
	}
	if missed {
		return errGoal
	}
	return nil
}

// keep writes a part's rows into the file, whose other parts stay.
func keep(file, part string, rows []row) error {
	var all []row
	old, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return fmt.Errorf("read results: %w", err)
	default:
		if err := json.Unmarshal(old, &all); err != nil {
			return fmt.Errorf("read results %s: %w", file, err)
		}
	}
	all = slices.DeleteFunc(all, func(r row) bool { return r.Part == part })
	for _, r := range rows {
		r.Part = part
		if r.PeerValue != 0 {
			r.Ratio = r.Value / r.PeerValue
		}
		all = append(all, r)
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}
