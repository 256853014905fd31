using System.Buffers;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Rows of the attention pattern, softmax(scale · q kᵀ) over the keys that each query sees, for a few queries: what measurements look at, where the
/// whole pattern would take T × T. q [B, T, H, D], k [B, T, G, D], rows Int32 [R], numbered b · T + t; y [R, H, T], 0 where nothing is seen.
/// With top-k, only the k largest scores of a row count; the smaller index wins among equals.
/// </summary>
/// <remarks>Computed by the host in double precision, in memory linear in T. It has no gradient.</remarks>
public sealed class PatternRowsOp(double scale, Visibility visibility, int topK) : Op
{
    private const int Q = 0, K = 1, Rows = 2, Seen = 3;

    // Weights that the host holds at a time.
    private const int HeldElements = 1 << 16;

    public override string Name => "pattern-rows";

    public override bool ReadsBack => true;

    public static Tensor Record(Tape tape, Tensor q, Tensor k, Tensor rows, double scale, Visibility visibility, int topK = 0)
    {
        AttentionOp.CheckShapes("pattern-rows", q, k, k);
        if (rows.Layout.Rank != 1 || rows.Type != DType.Int32)
        {
            throw new ArgumentException($"pattern-rows: rows {rows}; expected Int32 [R]");
        }

        Tensor flat = BroadcastOp.Contiguous(tape, q).Reshape(q[0] * q[1], q[2] * q[3]);
        Tensor queries = EmbeddingOp.Record(tape, flat, rows).Reshape(rows[0], q[2], q[3]);
        return tape.Record(
            new PatternRowsOp(scale, visibility, topK), [queries, BroadcastOp.Contiguous(tape, k), rows, .. visibility.Inputs], Layout.Of(rows[0], q[2], k[1]));
    }

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call)
    {
        View q = call.Input(Q), k = call.Input(K), y = call.Output(0);
        Visible visible = visibility.At(call, Seen);
        int count = q.Layout[0], heads = q.Layout[1], depth = q.Layout[2], time = k.Layout[1], keyHeads = k.Layout[2];
        int keyLength = time * keyHeads * depth, rowLength = heads * time, atOnce = Math.Clamp(HeldElements / rowLength, 1, count);
        double[] queries = Rent<double>(count * heads * depth), keys = Rent<double>(keyLength), pattern = Rent<double>(atOnce * rowLength), scores = Rent<double>(2 * time);
        int[] rows = Rent<int>(count), document = Rent<int>(time), seen = Rent<int>(time), listed = Rent<int>(time), prefix = Rent<int>(1);
        var lists = new ListReader(backend, visible.Blocks, k.Layout[0] * heads, time);
        VisibleRule rule = visible.Rule(time);
        backend.Read(q, queries.AsSpan(0, count * heads * depth));
        backend.Download(call.Input(Rows), rows.AsSpan(0, count));
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
                keysSeen += rule.Sees(t, j) && (visible.Documents.IsNone || document[j] == document[t]) ? 1 : 0;            }

            int held = row % atOnce;
            for (int h = 0; h < heads; h++)
            {
                (int[] keysOf, int own) = visible.Blocks.IsNone ? (seen, keysSeen) : (listed, lists.Keep((b * heads) + h, t, seen.AsSpan(0, keysSeen), listed));
                Span<double> target = pattern.AsSpan((held * rowLength) + (h * time), time), weights = scores.AsSpan(0, own);
                ReadOnlySpan<double> query = queries.AsSpan(((row * heads) + h) * depth, depth);
                int group = h / (heads / keyHeads);
                for (int i = 0; i < own; i++)
                {
                    weights[i] = TensorPrimitives.Dot(query, keys.AsSpan(((keysOf[i] * keyHeads) + group) * depth, depth));
                }

                KeepLargest(weights, scores.AsSpan(time, own));
                Softmax(weights);
                target.Clear();
                for (int i = 0; i < own; i++)
                {
                    target[keysOf[i]] = weights[i];
                }
            }

            if (held == atOnce - 1 || row == count - 1)
            {
                int length = (held + 1) * rowLength;
                backend.Write(pattern.AsSpan(0, length), y.With(Layout.Of(length), (long)(row - held) * rowLength));
            }
        }

        Return(queries, keys, pattern, scores);
        Return(rows, document, seen, listed, prefix);
        lists.Dispose();
    }

    private void Softmax(Span<double> scores)
    {
        if (!scores.IsEmpty)
        {
            TensorPrimitives.Subtract(scores, TensorPrimitives.Max<double>(scores), scores);
            TensorPrimitives.Multiply(scores, scale, scores);
            TensorPrimitives.Exp(scores, scores);
            TensorPrimitives.Divide(scores, TensorPrimitives.Sum<double>(scores), scores);
        }
    }

    // What is not among the k largest weighs nothing.
    private void KeepLargest(Span<double> scores, Span<double> sorted)
    {
        if (topK == 0 || topK >= scores.Length)
        {
            return;
        }

        scores.CopyTo(sorted);
        sorted.Sort();
        double least = sorted[^topK];
        int equal = topK;
        foreach (double score in scores)
        {
            equal -= score > least ? 1 : 0;
        }

        foreach (ref double score in scores)
        {
            bool keeps = score > least || (score == least && equal-- > 0);
            score = keeps ? score : double.NegativeInfinity;
        }
    }

    private static T[] Rent<T>(int length) => ArrayPool<T>.Shared.Rent(length);

    private static void Return<T>(params ReadOnlySpan<T[]> rented)
    {
        foreach (T[] array in rented)
        {
            ArrayPool<T>.Shared.Return(array);
        }
    }

    /// <summary>Reads single lists of key blocks from a device.</summary>
    private readonly struct ListReader(Backend backend, BlockTable table, int pairs, int queries) : IDisposable
    {
        private readonly int[] _list = Rent<int>(table.IsNone ? 1 : table.Most + 1);

        /// <summary>The keys of those given that are in a block listed for a query; how many there are.</summary>
        /// <param name="pair">b · H + h.</param>
        /// <param name="query">t.</param>
        /// <param name="keys">Ascending.</param>
        /// <param name="kept">Gets them.</param>
        public int Keep(int pair, int query, ReadOnlySpan<int> keys, int[] kept)
        {
            int rows = (queries + table.QuerySize - 1) / table.QuerySize, count = 0, at = 0;
            long list = (pair / table.Share(pairs, queries) * (long)rows) + (query / table.QuerySize);
            backend.Download(table.Counts.With(Layout.Of(1), list), _list.AsSpan(0, 1));
            int length = Math.Min(_list[0], table.Most);
            backend.Download(table.Lists.With(Layout.Of(table.Most), list * table.Most), _list.AsSpan(0, table.Most));
            foreach (int key in keys)
            {
                while (at < length && _list[at] < key / table.KeySize)
                {
                    at++;
                }

                if (at < length && _list[at] == key / table.KeySize)
                {
                    kept[count++] = key;
                }
            }

            return count;
        }

        public void Dispose() => Return(_list);
    }
}
