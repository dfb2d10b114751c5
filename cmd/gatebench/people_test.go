package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRowsOfTheScreen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "figures")
	text := `{"name":"a","value":1.5,"unit":"ms","goal":"<= 2","ok":true}` + "\n" + `{"name":"b","value":3,"unit":"","ok":true}` + "\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	rows, err := readRows(file)
	if err != nil || len(rows) != 2 || rows[0].Value != 1.5 || rows[0].Goal != "<= 2" || !rows[1].OK {
		t.Fatalf("rows %+v, %v", rows, err)
	}
	if err := os.WriteFile(file, []byte(text+"not a row\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readRows(file); err == nil {
		t.Error("a line that is no row was taken")
	}
}
