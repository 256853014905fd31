using System.Buffers;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Rows of the attention pattern, softmax(scale · q kᵀ) over the keys that each query sees, for a few queries: what measurements look at, where the
/// whole pattern would take T × T; with a cap, decays and sink logits where there are some (<see cref="ScoreTerms"/>). q [B, T, H, D], k [B, T, G, D], rows Int32 [R],
/// numbered b · T + t; y [R, H, T], 0 where nothing is seen. Where lists of keys, or of blocks of keys, are given, those a
/// query keeps count only.
/// </summary>
/// <remarks>Computed by the host in double precision, in memory linear in T. It has no gradient.</remarks>
public sealed class PatternRowsOp(double scale, double cap, Visibility visibility, int keySize) : Op
{
    private const int Q = 0, K = 1, Rows = 2, Kept = 3, Seen = 4, Decay = Seen + Visibility.InputCount, SinkLogits = Decay + 1;

    // Weights that the host holds at a time.
    private const int HeldElements = 1 << 16;

    public override string Name => "pattern-rows";

    public override bool ReadsBack => true;

    public static Tensor Record(Tape tape, Tensor q, Tensor k, Tensor rows, double scale, Visibility visibility, KeyList kept = default, ScoreTerms terms = default)
    {
        AttentionOp.CheckShapes("pattern-rows", q, k, k);
        terms.Check("pattern-rows", q);
        if (rows.Layout.Rank != 1 || rows.Type != DType.Int32)
        {
            throw new ArgumentException($"pattern-rows: rows {rows}; expected Int32 [R]");
        }

        Tensor flat = BroadcastOp.Contiguous(tape, q).Reshape(q[0] * q[1], q[2] * q[3]);
        Tensor queries = EmbeddingOp.Record(tape, flat, rows).Reshape(rows[0], q[2], q[3]);
        return tape.Record(
            new PatternRowsOp(scale, terms.Cap, visibility, kept.IsNone ? visibility.KeySize : kept.KeySize),
            [queries, BroadcastOp.Contiguous(tape, k), rows, kept.Lists, .. visibility.Inputs, terms.Decay, terms.SinkLogits], Layout.Of(rows[0], q[2], k[1]));
    }

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call)
    {
        View q = call.Input(Q), k = call.Input(K), y = call.Output(0);
        Visible visible = visibility.At(call, Seen);
        int count = q.Layout[0], heads = q.Layout[1], depth = q.Layout[2], time = k.Layout[1], keyHeads = k.Layout[2];
        int keyLength = time * keyHeads * depth, rowLength = heads * time, atOnce = Math.Clamp(HeldElements / rowLength, 1, count);
        double[] queries = Rent<double>(count * heads * depth), keys = Rent<double>(keyLength), pattern = Rent<double>(atOnce * rowLength), scores = Rent<double>(time);
        View lists = call.Input(Kept).IsNone ? visible.Blocks.Lists : call.Input(Kept);
        int most = lists.IsNone ? 1 : lists.Layout[3], queriesOfList = call.Input(Kept).IsNone ? Math.Max(1, visibility.QuerySize) : 1;
        int listsOfHead = (time + queriesOfList - 1) / queriesOfList, share = lists.IsNone ? 1 : (int)(k.Layout[0] * heads * (long)listsOfHead * most / lists.Count);
        View decay = call.Input(Decay), sinkLogits = call.Input(SinkLogits);
        double[] sums = Rent<double>(heads * time), sinks = Rent<double>(heads);
        int[] rows = Rent<int>(count), document = Rent<int>(time), seen = Rent<int>(time), prefix = Rent<int>(1), list = Rent<int>(most);
        VisibleRule rule = visible.Rule(time);
        backend.Read(q, queries.AsSpan(0, count * heads * depth));
        backend.Download(call.Input(Rows), rows.AsSpan(0, count));
        if (!sinkLogits.IsNone)
        {
            backend.Read(sinkLogits, sinks.AsSpan(0, heads));
        }

        int sequence = -1;
        for (int row = 0; row < count; row++)
        {
            (int b, int t) = Math.DivRem(rows[row], time);
            if (b != sequence)
            {
                sequence = b;
                backend.Read(k.With(Layout.Of(keyLength), (long)b * keyLength), keys.AsSpan(0, keyLength));
                if (!visible.Documents.IsNone)
                {
                    backend.Download(visible.Documents.With(Layout.Of(time), (long)b * time), document.AsSpan(0, time));
                }

                if (!decay.IsNone)
                {
                    backend.Read(decay.With(Layout.Of(heads * time), (long)b * heads * time), sums.AsSpan(0, heads * time));
                }

                if (!visible.Prefixes.IsNone)
                {
                    backend.Download(visible.Prefixes.With(Layout.Of(1), b), prefix.AsSpan(0, 1));
                    rule = rule.WithPrefix(prefix[0]);
                }
            }

            int keysSeen = 0;
            for (int j = 0; j < time; j++)
            {
                seen[keysSeen] = j;
                keysSeen += rule.Sees(t, j) && (visible.Documents.IsNone || document[j] == document[t]) ? 1 : 0;
            }

            int held = row % atOnce;
            for (int h = 0; h < heads; h++)
            {
                if (!lists.IsNone && (h == 0 || ((b * heads) + h) % share == 0))
                {
                    long at = (((b * heads) + h) / share * (long)listsOfHead) + (t / queriesOfList);
                    int length = most;
                    backend.Download(lists.With(Layout.Of(most), at * most), list.AsSpan(0, most));
                    if (call.Input(Kept).IsNone)
                    {
                        backend.Download(visible.Blocks.Counts.With(Layout.Of(1), at), prefix.AsSpan(0, 1));
                        length = Math.Min(prefix[0], most);
                    }

                    keysSeen = Listed(rule, t, list.AsSpan(0, length), visible.Documents.IsNone ? [] : document.AsSpan(0, time), seen.AsSpan(0, time));
                }

                Span<double> target = pattern.AsSpan((held * rowLength) + (h * time), time), weights = scores.AsSpan(0, keysSeen);
                ReadOnlySpan<double> query = queries.AsSpan(((row * heads) + h) * depth, depth);
                int group = h / (heads / keyHeads);
                for (int i = 0; i < keysSeen; i++)
                {
                    weights[i] = scale * TensorPrimitives.Dot(query, keys.AsSpan(((seen[i] * keyHeads) + group) * depth, depth));
                    weights[i] = cap > 0 ? cap * Math.Tanh(weights[i] / cap) : weights[i];
                    weights[i] += decay.IsNone ? 0 : sums[(h * time) + t] - sums[(h * time) + seen[i]];
                }

                Softmax(weights, sinkLogits.IsNone ? double.NegativeInfinity : sinks[h]);
                target.Clear();
                for (int i = 0; i < keysSeen; i++)
                {
                    target[seen[i]] = weights[i];
                }
            }

            if (held == atOnce - 1 || row == count - 1)
            {
                int length = (held + 1) * rowLength;
                backend.Write(pattern.AsSpan(0, length), y.With(Layout.Of(length), (long)(row - held) * rowLength));
            }
        }

        Return(queries, keys, pattern, scores, sums, sinks);
        Return(rows, document, seen, prefix, list);
    }

    // A sink joins the sum and has no weight of its own.
    private static void Softmax(Span<double> scores, double sink)
    {
        if (!scores.IsEmpty)
        {
            double most = Math.Max(TensorPrimitives.Max<double>(scores), sink);
            TensorPrimitives.Subtract(scores, most, scores);
            TensorPrimitives.Exp(scores, scores);
            TensorPrimitives.Divide(scores, TensorPrimitives.Sum<double>(scores) + Math.Exp(sink - most), scores);
        }
    }

    // The keys of a list that the query sees.
    private int Listed(VisibleRule rule, int t, ReadOnlySpan<int> list, ReadOnlySpan<int> document, Span<int> seen)
    {
        int count = 0;
        foreach (int entry in list)
        {
            for (int j = entry * keySize; entry >= 0 && j < Math.Min((entry + 1) * keySize, seen.Length); j++)
            {
                if (rule.Sees(t, j) && (document.IsEmpty || document[j] == document[t]))
                {
                    seen[count++] = j;
                }
            }
        }

        return count;
    }

    private static T[] Rent<T>(int length) => ArrayPool<T>.Shared.Rent(length);

    private static void Return<T>(params ReadOnlySpan<T[]> rented)
    {
        foreach (T[] array in rented)
        {
            ArrayPool<T>.Shared.Return(array);
        }
    }
}
