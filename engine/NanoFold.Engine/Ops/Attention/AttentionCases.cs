using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>The cases of attention, top-k attention and rows of the pattern, whose reference they share: every kind of visibility, wide and narrow values.</summary>
internal static class AttentionCases
{
    // Queries and keys of a block of the table below, and blocks listed at most.
    private const int QuerySize = 8, KeySize = 4, Listed = 3;

    private static readonly double[] s_documents = [0, 0, 0, 1, 1, 1, 1, 2, 2, 0, 1, 1, 1, 1, 1, 1, 1, 1];

    public static IEnumerable<OpCase> Attention()
    {
        foreach (Shape s in new Shape[]
        {
            new(1, 1, 1, 1, 2), new(2, 7, 2, 2, 5), new(1, 33, 4, 2, 8), new(1, 67, 2, 1, 16), new(2, 21, 2, 1, 4) { Window = 5 },
            new(1, 40, 2, 2, 4) { Window = 6, Sinks = 3 }, new(1, 130, 3, 1, 32) { Window = 50, Sinks = 1 },
            new(1, 19, 2, 1, 4) { Kind = VisibleKind.Full }, new(1, 19, 2, 1, 4) { Kind = VisibleKind.Full, Window = 4, Sinks = 2 },
            new(2, 19, 2, 1, 4) { Kind = VisibleKind.Prefix, Prefixes = [7, 0] }, new(2, 9, 1, 1, 4) { Kind = VisibleKind.Prefix, Prefixes = [4, 9], Window = 3, Sinks = 1 },
            new(2, 9, 2, 2, 4) { Documents = s_documents }, new(2, 9, 1, 1, 4) { Documents = s_documents, Kind = VisibleKind.Full },
            new(2, 9, 1, 1, 4) { Documents = s_documents, Kind = VisibleKind.Prefix, Prefixes = [5, 2], Window = 3 },
            new(1, 19, 2, 1, 4) { HasBlocks = true }, new(2, 9, 1, 1, 4) { HasBlocks = true, Kind = VisibleKind.Full, Documents = s_documents },
            new(1, 19, 2, 1, 4) { HasBlocks = true, Kind = VisibleKind.Prefix, Prefixes = [11], Window = 6, Sinks = 2 },
            new(1, 11, 2, 1, 8) { ValueDim = 12 }, new(1, 6, 1, 1, 192) { ValueDim = 128 }, new(1, 6, 1, 1, 96) { ValueDim = 256, Window = 3 },
            new(2, 9, 4, 2, 4) { HasDecay = true }, new(1, 19, 2, 2, 4) { HasSinkLogits = true, ValueDim = 6 }, new(2, 9, 4, 4, 4) { ValueHeads = 2, ValueDim = 8 },
            new(2, 9, 4, 2, 4) { HasDecay = true, HasSinkLogits = true, ValueHeads = 1, Documents = s_documents, Window = 5 },
            new(1, 67, 4, 2, 8) { Cap = 0.5 }, new(2, 9, 2, 2, 4) { Cap = 0.4, HasSinkLogits = true, Documents = s_documents, Window = 4, Scale = 3 },
        })
        {
            yield return s.Case($"attention {s}", (tape, x, seen, terms) => AttentionOp.Record(tape, x[0], x[1], x[2], s.Scale, seen, terms));
        }
    }

    public static IEnumerable<OpCase> TopK()
    {
        foreach (Shape s in new Shape[]
        {
            new(1, 9, 2, 1, 4) { Keep = 3 }, new(2, 33, 2, 2, 6) { Keep = 5 }, new(1, 5, 1, 1, 2) { Keep = 9 },
            new(1, 21, 2, 1, 4) { Keep = 3, Window = 6, Sinks = 2 }, new(2, 9, 1, 1, 4) { Keep = 2, Documents = s_documents, Window = 5 },
            new(1, 9, 1, 1, 4) { Keep = 3, Kind = VisibleKind.Full }, new(2, 9, 1, 1, 4) { Keep = 3, Kind = VisibleKind.Prefix, Prefixes = [6, 1] },
            new(1, 9, 1, 1, 8) { Keep = 3, ValueDim = 12 },
        })
        {
            yield return s.Case($"top-k-attention {s}", (tape, x, seen, _) => KeyListAttentionOp.OfLargest(tape, x[0], x[1], x[2], s.Scale, new KeyBudget(s.Keep), seen));
        }
    }

    public static IEnumerable<OpCase> PatternRows()
    {
        foreach (Shape s in new Shape[]
        {
            new(1, 1, 1, 1, 2), new(2, 9, 4, 2, 6), new(2, 21, 2, 1, 4) { Window = 5, Sinks = 2 }, new(1, 17, 2, 2, 4) { Keep = 3 },
            new(2, 9, 2, 2, 4) { Documents = s_documents }, new(2, 9, 2, 1, 4) { Documents = s_documents, Kind = VisibleKind.Full },
            new(2, 9, 2, 1, 4) { Kind = VisibleKind.Prefix, Prefixes = [6, 1] },
            new(2, 9, 2, 1, 4) { HasDecay = true, HasSinkLogits = true }, new(2, 9, 2, 1, 4) { Cap = 0.4 },
        })
        {
            yield return s.PatternRows($"pattern-rows {s}", [.. Enumerable.Range(0, Math.Min(5, s.Batch * s.Time)).Select(i => i * 7 % (s.Batch * s.Time))]);
        }
    }

    public static IEnumerable<OpCase> AttentionAt(BlockShape s)
    {
        foreach ((string part, int keyHeads, int window) in new[] { ("causal", s.Heads, 0), ("grouped", s.Heads / 2, 0), ("window", s.Heads, s.Time / 4) })
        {
            var shape = new Shape(s.Batch, s.Time, s.Heads, keyHeads, s.HeadDim) { Window = window };
            yield return shape.Case($"attention {s.Name} {part} {shape}", (tape, x, seen, _) => AttentionOp.Record(tape, x[0], x[1], x[2], shape.Scale, seen));
        }
    }

    public static IEnumerable<OpCase> TopKAt(BlockShape s)
    {
        // Queries and keys of a coarse grid and a power of two, so that scores are exact: rounding must not choose among keys that are nearly equal.
        var shape = new Shape(s.Batch, s.Time, s.Heads, s.Heads, s.HeadDim) { Keep = s.Time / 8, Scale = 0.125, Step = 0.125 };
        yield return shape.Case($"top-k-attention {s.Name} {shape}", (tape, x, seen, _) => KeyListAttentionOp.OfLargest(tape, x[0], x[1], x[2], shape.Scale, new KeyBudget(shape.Keep), seen));
    }

    public static IEnumerable<OpCase> PatternRowsAt(BlockShape s)
    {
        var shape = new Shape(s.Batch, s.Time, s.Heads, s.Heads, s.HeadDim);
        yield return shape.PatternRows($"pattern-rows {s.Name} 4 of {shape}", [.. Enumerable.Range(0, 4).Select(i => i * s.Batch * s.Time / 4)]);
    }

    /// <summary>Naive causal attention of q [B, T, H, D] over k and v [B, T, G, D].</summary>
    internal static double[] Causal(double[] q, double[] k, double[] v, int batch, int time, int heads, int keyHeads, int headDim)
        => new Shape(batch, time, heads, keyHeads, headDim).Reference([q, k, v]);

    /// <summary>A problem: shapes and what is visible.</summary>
    private sealed record Shape(int Batch, int Time, int Heads, int KeyHeads, int HeadDim)
    {
        public int ValueDim { get; init; } = HeadDim;

        public int ValueHeads { get; init; } = KeyHeads;

        public bool HasDecay { get; init; }

        public bool HasSinkLogits { get; init; }

        public double Cap { get; init; }

        public VisibleKind Kind { get; init; } = VisibleKind.Causal;

        public int Window { get; init; }

        public int Sinks { get; init; }

        public double[]? Prefixes { get; init; }

        public double[]? Documents { get; init; }

        public bool HasBlocks { get; init; }

        public int Keep { get; init; }

        public double Scale { get; init; } = 1 / Math.Sqrt(HeadDim);

        public double Step { get; init; }

        private int BlockRows => (Time + QuerySize - 1) / QuerySize;

        public OpCase Case(string name, Func<Tape, Tensor[], Visibility, ScoreTerms, Tensor> record)
            => Case(name, OpInput.Real(Batch, Time, ValueHeads, ValueDim), record, Reference);

        /// <summary>Rows b · T + t of the pattern.</summary>
        public OpCase PatternRows(string name, int[] rows)
        {
            var numbers = new OpInput([rows.Length]) { IsInteger = true, Values = [.. rows.Select(r => (double)r)] };
            OpCase whole = Case(name, numbers, (tape, x, seen, terms) => PatternRowsOp.Record(
                tape, x[0], x[1], x[2], Scale, seen, Keep > 0 ? SelectKeysOp.Record(tape, x[0], x[1], default, Scale, new KeyBudget(Keep), seen) : default, terms), a =>
            {
                // The weight of a key is attention's result at an element where its value is 1 and that of the others 0.
                double[] v = [.. Enumerable.Range(0, Batch * Time * KeyHeads * Time).Select(i => i / (KeyHeads * Time) % Time == i % Time ? 1.0 : 0)];
                double[] pattern = (this with { ValueDim = Time }).Reference([a[0], a[1], v, .. a[3..]]);
                return [.. rows.SelectMany(r => pattern.AsSpan(r * Heads * Time, Heads * Time).ToArray())];
            });
            return whole with { CheckGradient = false };
        }

        private OpCase Case(string name, OpInput third, Func<Tape, Tensor[], Visibility, ScoreTerms, Tensor> record, Func<double[][], double[]> reference)
        {
            List<OpInput> inputs = [OpInput.Real(Batch, Time, Heads, HeadDim) with { Step = Step }, OpInput.Real(Batch, Time, KeyHeads, HeadDim) with { Step = Step }, third];
            int prefixes = Integers(Prefixes, Batch), documents = Integers(Documents, Batch, Time);
            int blocks = Integers(HasBlocks ? Lists() : null, Batch, Heads, BlockRows, Listed), counts = Integers(HasBlocks ? Counts() : null, Batch, Heads, BlockRows);
            int decay = Add(HasDecay ? new OpInput([Batch, Time, Heads], -2, 3) : null);
            int sinks = Add(HasSinkLogits ? OpInput.Weight(Heads) : null);
            return new OpCase(name, [.. inputs],
                (tape, x) => record(tape, x, new Visibility
                {
                    Kind = Kind,
                    Window = Window,
                    Sinks = Sinks,
                    Prefixes = At(x, prefixes),
                    Documents = At(x, documents),
                    Blocks = At(x, blocks),
                    BlockCounts = At(x, counts),
                    QuerySize = QuerySize,
                    KeySize = KeySize,
                }, new ScoreTerms(decay < 0 ? default : DecaySumsOp.Record(tape, x[decay]), At(x, sinks)) { Cap = Cap }),
                reference)
            { Tolerance = 5e-6 };

            int Add(OpInput? input)
            {
                if (input is not null)
                {
                    inputs.Add(input);
                }

                return input is null ? -1 : inputs.Count - 1;
            }

            int Integers(double[]? values, params int[] shape) => Add(values is null ? null : new OpInput(shape) { IsInteger = true, Values = values });

            static Tensor At(Tensor[] x, int index) => index < 0 ? default : x[index];
        }

        public override string ToString()
            => $"[{Batch}, {Time}, {Heads}/{KeyHeads}, {HeadDim}{(ValueDim == HeadDim ? "" : $"/{ValueDim}")}] {Kind}{Some(Window, "window")}{Some(Sinks, "sinks")}"
                + $"{(Documents is null ? "" : " documents")}{(HasBlocks ? " blocks" : "")}{Some(Keep, "keep")}{Some(ValueHeads == KeyHeads ? 0 : ValueHeads, "value heads")}"
                + $"{(HasDecay ? " decay" : "")}{(HasSinkLogits ? " sink logits" : "")}{(Cap > 0 ? " cap" : "")}";

        private static string Some(int value, string name) => value > 0 ? $" {name} {value}" : "";

        // Every list begins with a block of its own, so that queries see something, but for the first query block of the second head: it sees nothing.
        private int Length(int head, int row) => head == 1 && row == 0 ? 0 : 1 + ((head + row) % Listed);

        private int Block(int row, int i) => Math.Min(row * QuerySize / KeySize, (Time - 1) / KeySize - Listed + 1) + i;

        private double[] Lists() => Rows((_, h, r) => Enumerable.Range(0, Listed).Select(i => (double)(i < Length(h, r) ? Block(r, i) : -5)));

        private double[] Counts() => Rows((_, h, r) => [Length(h, r)]);

        private double[] Rows(Func<int, int, int, IEnumerable<double>> row)
            => [.. from b in Enumerable.Range(0, Batch) from h in Enumerable.Range(0, Heads) from r in Enumerable.Range(0, BlockRows) from value in row(b, h, r) select value];

        private bool Sees(int b, int h, int t, int j)
            => (Kind == VisibleKind.Full || j <= t || (Prefixes is not null && j < Prefixes[b]))
                && (Window == 0 || Math.Abs(t - j) < Window || j < Sinks)
                && (Documents is null || Documents[(b * Time) + t] == Documents[(b * Time) + j])
                && (!HasBlocks || Enumerable.Range(0, Length(h, t / QuerySize)).Any(i => Block(t / QuerySize, i) == j / KeySize));

        /// <summary>Naive attention, over the largest scores of a row only where <see cref="Keep"/> is above 0.</summary>
        public double[] Reference(double[][] a)
        {
            int d = HeadDim, dv = ValueDim, sinks = a.Length - 1;
            double[] sums = HasDecay ? DecaySumsOp.Reference(a[sinks - (HasSinkLogits ? 1 : 0)], Batch, Time, Heads) : [];
            var y = new double[Batch * Time * Heads * dv];
            for (int row = 0; row < Batch * Time * Heads; row++)
            {
                int b = row / (Time * Heads), t = row / Heads % Time, h = row % Heads, g = h / (Heads / KeyHeads);
                var scores = new List<(double Score, int Key)>();
                for (int j = 0; j < Time; j++)
                {
                    int key = (((b * Time) + j) * KeyHeads) + g, own = ((b * Heads) + h) * Time;
                    if (Sees(b, h, t, j))
                    {
                        double score = Enumerable.Range(0, d).Sum(i => a[0][(row * d) + i] * a[1][(key * d) + i]) * Scale;
                        score = Cap > 0 ? Cap * Math.Tanh(score / Cap) : score;
                        scores.Add((score + (HasDecay ? sums[own + t] - sums[own + j] : 0), (((b * Time) + j) * ValueHeads) + (h / (Heads / ValueHeads))));
                    }
                }

                if (Keep > 0)
                {
                    scores = [.. scores.OrderByDescending(s => s.Score).ThenBy(s => s.Key).Take(Keep)];
                }

                double sum = scores.Sum(s => Math.Exp(s.Score)) + (HasSinkLogits ? Math.Exp(a[sinks][h]) : 0);
                foreach ((double score, int key) in scores)
                {
                    for (int i = 0; i < dv; i++)
                    {
                        y[(row * dv) + i] += Math.Exp(score) / sum * a[2][(key * dv) + i];
                    }
                }
            }

            return y;
        }
    }
}
