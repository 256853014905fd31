using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>The leading dimensions of a product, innermost first, with those merged that lie behind one another in every operand. Strides in bytes.</summary>
internal struct GemmBatch
{
    private Dimensions _dimensions;

    public int Rank { get; private set; }

    public readonly Dimension this[int i] => i < Rank ? _dimensions[i] : new Dimension { Count = 1 };

    public static GemmBatch Of(in MatMulArgs args)
    {
        var batch = default(GemmBatch);
        for (int axis = 3; axis <= args.Y.Layout.Rank; axis++)
        {
            batch.Add(new Dimension
            {
                Count = args.Y.Layout[-axis],
                A = Stride(args.A, axis),
                B = Stride(args.B, axis),
                Y = Stride(args.Y, axis),
                Residual = Stride(args.Residual, axis),
            });
        }

        return batch;
    }

    /// <summary>Takes the innermost dimension away, its products being done as rows of one.</summary>
    public void RemoveInner()
    {
        Rank--;
        for (int i = 0; i < Rank; i++)
        {
            _dimensions[i] = _dimensions[i + 1];
        }
    }

    /// <summary>Bytes between neighbours along an axis counted from the end; 0 where there is none or only one.</summary>
    internal static long Stride(in View view, int axis)
        => view.IsNone || axis > view.Layout.Rank || view.Layout[-axis] == 1 ? 0 : view.Layout.Stride(-axis) * view.Type.Size();

    private void Add(in Dimension outer)
    {
        if (outer.Count == 1)
        {
            return;
        }

        if (Rank > 0)
        {
            ref Dimension inner = ref _dimensions[Rank - 1];
            long n = inner.Count;
            if (outer.A == n * inner.A && outer.B == n * inner.B && outer.Y == n * inner.Y && outer.Residual == n * inner.Residual)
            {
                inner.Count = checked(inner.Count * outer.Count);
                return;
            }
        }

        _dimensions[Rank++] = outer;
    }

    internal struct Dimension
    {
        public int Count;
        public long A, B, Y, Residual;
    }

    [InlineArray(Layout.MaxRank - 2)]
    private struct Dimensions
    {
        private Dimension _first;
    }
}
