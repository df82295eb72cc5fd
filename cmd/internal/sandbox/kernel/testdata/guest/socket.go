//go:build wasip1

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"orrery/cmd/internal/network"
)

var ctx = context.Background()

// echo sends back what comes over each connection.
func echo(args []string) error {
	l, err := network.System().Listen(ctx, args[0])
	if err != nil {
		return err
	}
	fmt.Println("listening at", l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if len(args) == 1 {
				fmt.Println("from", c.RemoteAddr(), "at", c.LocalAddr())
			}
			_, err := io.Copy(c, c)
			if len(args) == 1 {
				fmt.Println("over:", err)
			}
		}()
	}
}

// ask sends lines to an echo and prints what comes back.
func ask(args []string) error {
	c, err := network.System().Dial(ctx, args[0])
	if err != nil {
		return err
	}
	fmt.Println("to", c.RemoteAddr())
	buffer := make([]byte, 64)
	for i := range 3 {
		if _, err := fmt.Fprintf(c, "hello %d", i); err != nil {
			return err
		}
		n, err := c.Read(buffer)
		if err != nil {
			return err
		}
		fmt.Printf("%q\n", buffer[:n])
	}
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
		return err
	}
	_, err = c.Read(buffer)
	fmt.Println("deadline:", errors.Is(err, os.ErrDeadlineExceeded))
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return err
	}
	n, err := c.Read(buffer)
	fmt.Println("end:", n, err)
	return c.Close()
}

// self asks an echo of its own.
func self(args []string) error {
	go echo([]string{args[0], "quiet"})
	time.Sleep(time.Millisecond)
	return ask(args)
}

// refused dials where nobody is.
func refused(args []string) error {
	_, err := network.System().Dial(ctx, args[0])
	fmt.Println("refused:", errors.Is(err, syscall.ECONNREFUSED))
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err = network.System().Dial(short, "10.9.9.9:1")
	fmt.Println("no route:", errors.Is(err, syscall.EHOSTUNREACH))
	_, err = network.System().Listen(ctx, "10.9.9.9:1")
	fmt.Println("not ours:", errors.Is(err, syscall.EADDRNOTAVAIL))
	if _, err = network.System().Listen(ctx, ":80"); err != nil {
		return err
	}
	_, err = network.System().Listen(ctx, "localhost:80")
	fmt.Println("in use:", errors.Is(err, syscall.EADDRINUSE))
	return nil
}

// sink reads all that one connection brings, slowly at first, and prints its hash.
func sink(args []string) error {
	l, err := network.System().Listen(ctx, args[0])
	if err != nil {
		return err
	}
	c, err := l.Accept()
	if err != nil {
		return err
	}
	time.Sleep(time.Second)
	h := sha256.New()
	n, err := io.Copy(h, c)
	fmt.Printf("%d %x %v\n", n, h.Sum(nil)[:4], err)
	return nil
}

// pour writes so many bytes, and prints their hash.
func pour(args []string) error {
	size, _ := strconv.Atoi(args[1])
	c, err := network.System().Dial(ctx, args[0])
	if err != nil {
		return err
	}
	b := bytes.Repeat([]byte("0123456789abcde\n"), size/16)
	if _, err := c.Write(b); err != nil {
		return err
	}
	h := sha256.Sum256(b)
	fmt.Printf("%d %x\n", len(b), h[:4])
	return c.Close()
}

// serve is a web server.
func serve(args []string) error {
	l, err := network.System().Listen(ctx, args[0])
	if err != nil {
		return err
	}
	http.HandleFunc("/shout", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, strings.ToUpper(string(b)))
	})
	return http.Serve(l, nil)
}

// fetch asks a web server some times, and prints the answers.
func fetch(args []string) error {
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return network.System().Dial(ctx, address)
		},
	}}
	for i := range 3 {
		answer, err := client.Post("http://"+args[0]+"/shout", "text/plain", strings.NewReader(fmt.Sprintf("hello %d", i)))
		if err != nil {
			return err
		}
		b, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		answer.Body.Close()
		fmt.Println(answer.Status, string(b))
	}
	return nil
}

// bounce sends packets back to whom they come from.
func bounce(args []string) error {
	p, err := network.System().ListenPacket(ctx, args[0])
	if err != nil {
		return err
	}
	buffer := make([]byte, 1<<16)
	for {
		n, from, err := p.ReadFrom(buffer)
		if err != nil {
			return err
		}
		fmt.Printf("%q from %v\n", buffer[:min(n, 16)], from)
		if _, err := p.WriteTo(buffer[:n], from); err != nil {
			return err
		}
	}
}

// throw sends packets and prints what bounces.
func throw(args []string) error {
	to, err := net.ResolveUDPAddr("udp", args[0])
	if err != nil {
		return err
	}
	p, err := network.System().ListenPacket(ctx, "0.0.0.0:9000")
	if err != nil {
		return err
	}
	for _, text := range []string{"one", "two", strings.Repeat("long ", 5000)} {
		if _, err := p.WriteTo([]byte(text), to); err != nil {
			return err
		}
		buffer := make([]byte, 1<<16)
		n, from, err := p.ReadFrom(buffer)
		if err != nil {
			return err
		}
		fmt.Println(string(buffer[:n]) == text, from, p.LocalAddr())
	}
	if err := p.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		return err
	}
	_, _, err = p.ReadFrom(nil)
	fmt.Println("deadline:", errors.Is(err, os.ErrDeadlineExceeded))
	return p.Close()
}

// relay sends each message of a device back, doubled.
func relay(args []string) error {
	if _, err := network.Device("nothing"); !errors.Is(err, syscall.Errno(43)) {
		fmt.Println("a device that is not there:", err)
	}
	d, err := network.Device(args[0])
	if err != nil {
		return err
	}
	buffer := make([]byte, 256)
	for {
		n, err := d.Read(buffer)
		if err != nil {
			return err
		}
		fmt.Printf("%q\n", buffer[:n])
		if string(buffer[:n]) == "stop" {
			return d.Close()
		}
		if _, err := d.Write(append(buffer[:n:n], buffer[:n]...)); err != nil {
			return err
		}
	}
}

// hoard opens a device and does not read.
func hoard(args []string) error {
	if _, err := network.Device(args[0]); err != nil {
		return err
	}
	return forever(nil)
}

// pingpong sends a byte to an echo and waits for it, for ever.
func pingpong(args []string) error {
	c, err := network.System().Dial(ctx, args[0])
	if err != nil {
		return err
	}
	b := []byte{1}
	for {
		if _, err := c.Write(b); err != nil {
			return err
		}
		if _, err := c.Read(b); err != nil {
			return err
		}
	}
}
