//go:build wasip1

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// write leaves files behind and waits to be killed.
func write([]string) error {
	if err := os.MkdirAll("/data/sub", 0o700); err != nil {
		return err
	}
	f, err := os.Create("/data/log")
	if err != nil {
		return err
	}
	for i := range 100 {
		if _, err := fmt.Fprintf(f, "line %d\n", i); err != nil {
			return err
		}
	}
	before := time.Now()
	if err := f.Sync(); err != nil {
		return err
	}
	fmt.Println("synced, which took time:", time.Since(before) > 100*time.Microsecond)
	if err := os.WriteFile("/data/sub/late", []byte("not synced"), 0o600); err != nil {
		return err
	}
	fmt.Println("written")
	return forever(nil)
}

// read prints what write left.
func read([]string) error {
	return filepath.WalkDir("/data", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			fmt.Println(path, err)
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Println(path, len(b), info.Size(), info.ModTime().UTC().Format(time.RFC3339))
		return nil
	})
}

// tree does to files all that Go's os can.
func tree([]string) error {
	check := func(what string, err, want error) {
		if !errors.Is(err, want) {
			fmt.Printf("%s: %v, want %v\n", what, err, want)
		}
	}
	check("mkdir", os.Mkdir("/t", 0o700), nil)
	check("mkdir again", os.Mkdir("/t", 0o700), fs.ErrExist)
	_, err := os.Open("/t/none")
	check("open nothing", err, fs.ErrNotExist)
	f, err := os.OpenFile("/t/a", os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	check("create", err, nil)
	_, err = os.OpenFile("/t/a", os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	check("create again", err, fs.ErrExist)
	_, err = f.WriteAt([]byte("world"), 6)
	check("write at", err, nil)
	_, err = f.Write([]byte("hello "))
	check("write", err, nil)
	_, err = f.Seek(-5, io.SeekEnd)
	check("seek", err, nil)
	b, err := io.ReadAll(f)
	check("read", err, nil)
	fmt.Printf("%q\n", b)
	check("truncate", f.Truncate(5), nil)
	n, err := f.ReadAt(make([]byte, 10), 2)
	check("read at", err, io.EOF)
	info, err := f.Stat()
	check("stat", err, nil)
	fmt.Println(n, info.Size(), info.Mode(), info.IsDir())
	check("close", f.Close(), nil)
	_, err = f.Write(nil)
	check("write to closed", err, fs.ErrClosed)

	f, err = os.OpenFile("/t/a", os.O_APPEND|os.O_WRONLY|os.O_SYNC, 0)
	check("open to append", err, nil)
	_, err = f.Write([]byte(" again"))
	check("append", err, nil)
	_, err = f.Read(make([]byte, 1))
	fmt.Println("read of what is only written:", err != nil)
	check("close", f.Close(), nil)

	at := time.Unix(1_000_000_000, 5)
	check("chtimes", os.Chtimes("/t/a", at, at), nil)
	info, err = os.Stat("/t/a")
	check("stat by name", err, nil)
	fmt.Println(info.ModTime().Equal(at), info.Size())

	check("rename", os.Rename("/t/a", "/t/b"), nil)
	_, err = os.Stat("/t/a")
	check("stat of the old name", err, fs.ErrNotExist)
	_, err = os.Readlink("/t/b")
	fmt.Println("no link:", err != nil)
	for i := range 500 {
		check("write file", os.WriteFile(fmt.Sprintf("/t/many-%03d-%0100d", i, 0), nil, 0o600), nil)
	}
	entries, err := os.ReadDir("/t")
	check("read directory", err, nil)
	fmt.Println(len(entries), entries[0].Name(), entries[500].Name()[:8])
	check("remove what is full", os.Remove("/t"), fs.ErrExist)
	d, err := os.Open("/t")
	check("open directory", err, nil)
	check("sync directory", d.Sync(), nil)
	check("close directory", d.Close(), nil)
	root, err := os.OpenRoot("/t")
	check("open root", err, nil)
	g, err := root.Open("b")
	check("open below root", err, nil)
	_, err = root.Open("../t/b")
	fmt.Println("escapes:", err == nil)
	g.Close()
	root.Close()
	check("chdir", os.Chdir("/t"), nil)
	b, err = os.ReadFile("b")
	check("read relative", err, nil)
	fmt.Printf("%q\n", b)
	check("remove all", os.RemoveAll("/t"), nil)
	_, err = os.Stat("/t")
	check("stat of nothing", err, fs.ErrNotExist)
	return nil
}
