// Three goroutines joined by two channels, value by value: one counts, one squares, one adds up.
// Arguments: the capacity, the number of values, the number of measurements.
package main

import (
	"encoding/json"
	"os"
	"strconv"
	"time"
)

func run(capacity, values int) float64 {
	numbers := make(chan float64, capacity)
	squares := make(chan float64, capacity)
	go func() {
		for i := 0; i < values; i++ {
			numbers <- float64(i)
		}
		close(numbers)
	}()
	go func() {
		for value := range numbers {
			squares <- value * value
		}
		close(squares)
	}()
	total := 0.0
	for value := range squares {
		total += value
	}
	return total
}

func number(i int) int {
	value, err := strconv.Atoi(os.Args[i])
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	capacity, values, times := number(1), number(2), number(3)
	for start := time.Now(); time.Since(start) < 300*time.Millisecond; {
		run(capacity, values/10)
	}
	result := 0.0
	nanoseconds := []float64{}
	for i := 0; i < times; i++ {
		start := time.Now()
		result = run(capacity, values)
		nanoseconds = append(nanoseconds, float64(time.Since(start).Nanoseconds())/float64(values))
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"values": values, "nanoseconds": nanoseconds, "result": result,
	})
}
