using System.Runtime.InteropServices;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>A small attention problem in bf16, of quarters of small integers, and what comes of it in double; its name is that of the mask and what else is special.</summary>
internal sealed record AttentionExample(string Name, int Time, int Heads, int KeyHeads, int Depth)
{
    public const double Scale = 0.25;

    public int Batch { get; init; } = 2;

    public int Keys { get; init; }

    public VisibleRule Rule { get; init; } = new(0, 0, 0);

    /// <summary>Tokens of a document; 0 for no documents.</summary>
    public int DocumentLength { get; init; }

    public bool HasPrefix => Rule.Prefix > 0;

    public int KeyCount => Keys > 0 ? Keys : Time;

    public int Shift => KeyCount - Time;

    /// <summary>Each kind of mask, heads that share keys, rows that are no multiple of anything; the first one goes round the ring of stages.</summary>
    public static IEnumerable<AttentionExample> All =>
    [
        new("causal", 520, 1, 1, 64) { Batch = 1 },
        new("ragged", 133, 2, 1, 64),
        new("window", 300, 1, 1, 64) { Rule = new(0, 90, 3) },
        new("documents", 200, 1, 1, 64) { DocumentLength = 70 },
        new("prefix", 150, 1, 1, 64) { Rule = new(90, 0, 0) },
        new("full", 70, 2, 1, 64) { Keys = 150, Rule = new(VisibleRule.Far, 0, 0) },
        new("causal", 300, 1, 1, 128) { Batch = 1 },
        new("documents", 200, 2, 1, 128) { DocumentLength = 70 },
    ];

    public override string ToString() => $"{Name}-{Depth}";

    public static float Value(int tensor, int batch, int row, int head, int d) => SmallIntegers.At(tensor + 4 * batch, 7 * head + 64 * row, d) / 4f;

    /// <summary>Puts q, k, v into the device's memory; y and the log-sum-exp are there, as no numbers.</summary>
    public FlashArguments Arguments(ICheckDevice device)
    {
        long documents = 0, reach = 0;
        if (DocumentLength > 0)
        {
            documents = Put(device, [.. Enumerable.Range(0, Batch * KeyCount).Select(i => i % KeyCount / DocumentLength)]);
            reach = Put(device, [.. Enumerable.Range(0, Batch).SelectMany(_ => Reach())]);
        }

        return new FlashArguments
        {
            Q = Tensor(Put(device, 0, Time, Heads), Time, Heads),
            K = Tensor(Put(device, 1, KeyCount, KeyHeads), KeyCount, KeyHeads),
            V = Tensor(Put(device, 2, KeyCount, KeyHeads), KeyCount, KeyHeads),
            Y = Tensor(device.Allocate(2L * Batch * Time * Heads * Depth), Time, Heads),
            Documents = documents, Reach = reach, ReachUnits = DocumentReach.Count(KeyCount),
            LogSumExp = device.Allocate(4L * Batch * Heads * Time),
            Time = Time, Keys = KeyCount, RowLength = DeltaRows.Length(Time), Shift = Shift, Prefix = Rule.Prefix, Window = Rule.Window, Sinks = Rule.Sinks,
            Depth = Depth, Heads = Heads, KeyHeads = KeyHeads, GroupHeads = Heads / KeyHeads, Scale = (float)Scale, BitScale = (float)(Scale / Math.Log(2)),
        };
    }

    /// <summary>Log-sum-exps [B, H, T], then y [B, T, H, D], as the device has them.</summary>
    public float[] Read(ICheckDevice device, in FlashArguments arguments)
    {
        var logSumExp = new float[Batch * Heads * Time];
        device.Read(arguments.LogSumExp, MemoryMarshal.AsBytes(logSumExp.AsSpan()));
        return [.. logSumExp, .. Read(device, arguments.Y.Address, Batch * Time * Heads * Depth)];
    }

    public static float[] Read(ICheckDevice device, long address, int count)
    {
        var halves = new ushort[count];
        device.Read(address, MemoryMarshal.AsBytes(halves.AsSpan()));
        return [.. halves.Select(h => BitConverter.UInt32BitsToSingle((uint)h << 16))];
    }

    /// <summary>Weights of keys for a query, and their log-sum-exp.</summary>
    public (double[] Weights, double LogSumExp) Weights(int batch, int head, int row)
    {
        var weights = new double[KeyCount];
        double sum = 0;
        for (int key = 0; key < KeyCount; key++)
        {
            if (Rule.Sees(row + Shift, key) && (DocumentLength == 0 || (row + Shift) / DocumentLength == key / DocumentLength))
            {
                double score = 0;
                for (int d = 0; d < Depth; d++)
                {
                    score += Value(0, batch, row, head, d) * Value(1, batch, key, head / (Heads / KeyHeads), d);
                }

                sum += weights[key] = Math.Exp(Scale * score);
            }
        }

        return ([.. weights.Select(w => w / sum)], Math.Log(sum));
    }

    /// <summary>As <see cref="Read(ICheckDevice, in FlashArguments)"/>, in double.</summary>
    public float[] Expected()
    {
        var logSumExp = new float[Batch * Heads * Time];
        var y = new float[logSumExp.Length * Depth];
        Parallel.For(0, logSumExp.Length, i =>
        {
            (int batch, int head, int row) = (i / Time / Heads, i / Time % Heads, i % Time);
            (double[] weights, double sum) = Weights(batch, head, row);
            logSumExp[i] = (float)sum;
            for (int d = 0; d < Depth; d++)
            {
                double value = 0;
                for (int key = 0; key < KeyCount; key++)
                {
                    value += weights[key] == 0 ? 0 : weights[key] * Value(2, batch, key, head / (Heads / KeyHeads), d);
                }

                y[((batch * Time + row) * Heads + head) * Depth + d] = (float)value;
            }
        });
        return [.. logSumExp, .. y];
    }

    public FlashTensor Tensor(long address, int rows, int heads)
        => new() { Address = address, Batch = 2L * rows * heads * Depth, Time = 2 * heads * Depth, Head = 2 * Depth };

    /// <summary>Puts a tensor [B, T, H, D] into the device's memory.</summary>
    public long Put(ICheckDevice device, int tensor, int rows, int heads)
    {
        var values = new ushort[Batch * rows * heads * Depth];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = SmallIntegers.Bits(GpuType.BFloat16, Value(tensor, i / Depth / heads / rows, i / Depth / heads % rows, i / Depth % heads, i % Depth));
        }

        long address = device.Allocate(2L * values.Length);
        device.Write(address, MemoryMarshal.AsBytes<ushort>(values));
        return address;
    }

    private static long Put(ICheckDevice device, int[] values)
    {
        long address = device.Allocate(4L * values.Length);
        device.Write(address, MemoryMarshal.AsBytes<int>(values));
        return address;
    }

    /// <summary>Of each unit of tokens its documents, and the tokens outside of which none of them is.</summary>
    private IEnumerable<int> Reach()
    {
        for (int first = 0; first < KeyCount; first += DocumentReach.Unit)
        {
            int least = first / DocumentLength, largest = Math.Min(first + DocumentReach.Unit - 1, KeyCount - 1) / DocumentLength;
            yield return least;
            yield return largest;
            yield return least * DocumentLength / DocumentReach.Unit * DocumentReach.Unit;
            yield return Math.Min(((largest + 1) * DocumentLength + DocumentReach.Unit - 1) / DocumentReach.Unit * DocumentReach.Unit, KeyCount);
        }
    }
}
