using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>
/// Nats and log-sum-exp of a row of logits, a group a row, read once: each thread keeps its largest logit so far and the sum beside it.
/// Both are 0 where a row has no target.
/// </summary>
internal struct CrossEntropyForwardWork<T> : IGpuWork<CrossEntropyForwardWork<T>>
    where T : unmanaged, IElement<T>
{
    /// <summary>Less than any logit but −∞, and no infinity: a difference to it is a number.</summary>
    private const float Least = float.MinValue;

    public ArrayView<T> Logits;
    public ArrayView<int> Targets;
    public ArrayView<float> Losses, LogSumExp;
    public long Stride;
    public int Vocab, IsWide;

    public static void Run(CrossEntropyForwardWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int row = Grid.IdxX, target = w.Targets[row], threads = Group.DimX;
        if (target == -1)
        {
            if (Group.IdxX == 0)
            {
                w.Losses[row] = 0;
                w.LogSumExp[row] = 0;
            }

            return;
        }

        long start = row * w.Stride;
        float most = Least, sum = 0;
        // Four loads are under way at a time.
        for (int i = Group.IdxX; 4 * i < w.Vocab; i += 4 * threads)
        {
            Quad a = Load(w, start, i), b = Load(w, start, i + threads), c = Load(w, start, i + 2 * threads), d = Load(w, start, i + 3 * threads);
            float larger = IntrinsicMath.Max(IntrinsicMath.Max(Largest(a), Largest(b)), IntrinsicMath.Max(Largest(c), Largest(d)));
            if (larger > most)
            {
                sum *= XMath.Exp(most - larger);
                most = larger;
            }

            sum += Exponentials(a, most) + Exponentials(b, most) + (Exponentials(c, most) + Exponentials(d, most));
        }

        float largest = GroupReduce.Max(shared, most);
        float logSumExp = largest + XMath.Log(GroupReduce.Sum(shared, sum * XMath.Exp(most - largest)));
        if (Group.IdxX == 0)
        {
            // A target that is no class cannot be told to the host from here: the loss says it by not being a number.
            float own = target >= 0 && target < w.Vocab ? T.Read(w.Logits[start + IntrinsicMath.Clamp(target, 0, w.Vocab - 1)]) : float.NaN;
            w.Losses[row] = logSumExp - own;
            w.LogSumExp[row] = logSumExp;
        }
    }

    private static Quad Load(CrossEntropyForwardWork<T> w, long start, int piece) => Piece.Load(w.Logits, start, piece, w.Vocab, w.IsWide, float.NegativeInfinity);

    private static float Largest(Quad x) => IntrinsicMath.Max(IntrinsicMath.Max(x.A, x.B), IntrinsicMath.Max(x.C, x.D));

    private static float Exponentials(Quad x, float most) => XMath.Exp(x.A - most) + XMath.Exp(x.B - most) + (XMath.Exp(x.C - most) + XMath.Exp(x.D - most));
}
