using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>The scratch of a backward pass, see <see cref="DeltaWork{T}"/>: two rows of floats for each head, padded to whole tiles.</summary>
internal static class DeltaRows
{
    private const int Unit = 128;

    public static int Length(int time) => (time + Unit - 1) / Unit * Unit;

    public static long Bytes(int batch, int time, int heads) => 2L * batch * heads * Length(time) * sizeof(float);

    public static long Bytes(in AttentionArgs args) => Bytes(args.Q.Layout[0], args.Q.Layout[1], args.Q.Layout[2]);

    /// <summary>Fills the scratch.</summary>
    /// <param name="context">Of the device.</param>
    /// <param name="op">For messages.</param>
    /// <param name="shape">Checked.</param>
    /// <param name="args">Of the call.</param>
    /// <param name="gradients">Of the call.</param>
    /// <param name="reach">Room for how far documents reach; none where nobody asks for it.</param>
    /// <exception cref="ArgumentException">The scratch is too small.</exception>
    public static ScoreGradient Prepare<T>(GpuContext context, string op, in AttentionShape shape, in AttentionArgs args, in AttentionGradients gradients, ArrayView<int> reach)
        where T : unmanaged, IElement<T>
    {
        View scratch = gradients.Scratch;
        long bytes = Bytes(shape.Batch, shape.Time, shape.Heads);
        RowCheck.Scratch(op, scratch, bytes);
        ArrayView<float> memory = context.View<float>(scratch);
        long half = bytes / (2 * sizeof(float));
        var work = new DeltaWork<T>
        {
            Y = HeadView<T>.Of(context, args.Y),
            DY = HeadView<T>.Of(context, gradients.DY),
            LogSumExp = context.View<float>(args.LogSumExp),
            Bits = memory.SubView(0, half),
            Delta = memory.SubView(half, half),
            Heads = shape.Heads,
            Time = shape.Time,
            RowLength = Length(shape.Time),
            Rows = checked((int)half),
        };
        int rows = context.GroupSize / DeltaWork<T>.Across;
        context.Launch(work, (half + rows - 1) / rows, context.GroupSize);
        return new ScoreGradient
        {
            Seen = VisibleView.Of(context, shape, args.Visible, reach),
            Bits = work.Bits,
            Delta = work.Delta,
            RowLength = work.RowLength,
            Scale = (float)args.Scale,
            Cap = (float)args.Cap,
            Decay = DecayView.Of(context, args.Decay),
        };
    }
}

/// <summary>
/// What the backward pass reads of every query: delta = Σ y ⊙ dy and the log-sum-exp in bits, both [B, H, RowLength] with rows padded
/// so that tiles end where rows do; after the last query weights come out as 0. Eight threads a row.
/// </summary>
internal struct DeltaWork<T> : IGpuWork<DeltaWork<T>>
    where T : unmanaged, IElement<T>
{
    public const int Across = 8;

    /// <summary>A log-sum-exp above any score.</summary>
    private const float Highest = 1e30f;

    private const float BitsPerNat = 1.44269504f;

    public HeadView<T> Y, DY;
    public ArrayView<float> LogSumExp, Bits, Delta;
    public int Heads, Time, RowLength, Rows;

    public static void Run(DeltaWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int row = Grid.IdxX * (Group.DimX / Across) + Group.IdxX / Across, lane = Group.IdxX % Across;
        int pair = row / w.RowLength, time = row % w.RowLength;
        int batch = pair / w.Heads, head = pair % w.Heads;
        bool isThere = row < w.Rows && time < w.Time;
        float sum = 0;
        if (isThere)
        {
            long y = w.Y.Row(batch, time, head), dy = w.DY.Row(batch, time, head);
            for (int i = lane * 4; i < w.Y.Depth; i += Across * 4)
            {
                Vector4<float> a = w.Y.Read(y, i), b = w.DY.Read(dy, i);
                sum += a.A * b.A + a.B * b.B + (a.C * b.C + a.D * b.D);
            }
        }

        shared[Group.IdxX] = sum;
        Group.Barrier();
        if (lane == 0 && row < w.Rows)
        {
            sum = 0;
            for (int i = 0; i < Across; i++)
            {
                sum += shared[Group.IdxX + i];
            }

            w.Delta[row] = sum;
            w.Bits[row] = isThere ? w.LogSumExp[(long)pair * w.Time + time] * BitsPerNat : Highest;
        }
    }
}

/// <summary>Weights and gradients of scores from what <see cref="DeltaWork{T}"/> left.</summary>
internal struct ScoreGradient
{
    private const float BitsPerNat = 1.44269504f;

    public VisibleView Seen;
    public ArrayView<float> Bits, Delta;
    public int RowLength;
    public float Scale, Cap;
    public DecayView Decay;

    /// <summary>p = exp(scale · s + c of the query − c of the key − log-sum-exp), 0 where the key is hidden.</summary>
    public readonly float Weight(float score, int batch, int pair, int query, int key) => Seen.Sees(batch, query, key)
        ? XMath.Exp2((Cap > 0 ? ScoreCap.Of(score * Scale, Cap) * BitsPerNat : score * (Scale * BitsPerNat)) + (Decay.At(pair, query + Seen.Shift) - Decay.At(pair, key)) * BitsPerNat - Bits[(long)pair * RowLength + query])
        : 0;

    /// <summary>Gradient of the scaled score with weight p, of whose product with v the gradient is dp.</summary>
    public readonly float OfWeight(float weight, float dp, int pair, int query)
    {
        if (weight == 0)
        {
            return 0;
        }

        long row = (long)pair * RowLength + query;
        float gradient = weight * (dp - Delta[row]);
        // The weight tells what the score was.
        return Cap > 0 ? gradient * ScoreCap.Slope((XMath.Log2(weight) + Bits[row]) * (1 / BitsPerNat), Cap) : gradient;
    }

    public readonly float Of(float score, float dp, int batch, int pair, int query, int key) =>
        OfWeight(Weight(score, batch, pair, query, key), dp, pair, query);
}
