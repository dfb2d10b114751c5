package main

import (
	"encoding/json"
	"errors"
	"fmt"
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
