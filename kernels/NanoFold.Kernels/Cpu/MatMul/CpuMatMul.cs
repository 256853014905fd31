namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>Matrix products by their definition, summed in double.</summary>
public sealed unsafe class CpuMatMul(CpuContext context)
{
    public void MatMul(in MatMulArgs args)
    {
        Layout ly = args.Y.Layout;
        var work = new Work
        {
            A = new Matrices(args.A, ly, args.TransposeA),
            B = new Matrices(args.B, ly, args.TransposeB),
            Y = new Matrices(args.Y, ly, false),
            Bias = args.Bias.IsNone ? default : new Matrices(args.Bias.With(args.Bias.Layout.BroadcastTo(ly)), ly, false),
            Residual = args.Residual.IsNone ? default : new Matrices(args.Residual.With(args.Residual.Layout.BroadcastTo(ly)), ly, false),
            M = ly[-2],
            N = ly[-1],
            K = args.A.Layout[args.TransposeA ? -2 : -1],
            Alpha = args.Alpha,
            Accumulate = args.Accumulate,
        };
        context.Workers.Run(ly.Rows, ref work);
    }

    public void GroupedMatMul(in GroupedMatMulArgs args)
    {
        int* offsets = args.Offsets.Ints;
        for (int e = 0; e < (int)args.Offsets.Count - 1; e++)
        {
            if (args.PerGroupOutput)
            {
                PerGroupOutput(args, e, offsets[e], offsets[e + 1] - offsets[e]);
            }
            else if (offsets[e + 1] > offsets[e])
            {
                int rows = offsets[e + 1] - offsets[e];
                View b = Index(args.B, e), a = Rows(args.A, offsets[e], rows), y = Rows(args.Y, offsets[e], rows);
                MatMul(new() { A = a, B = b, Y = y, TransposeB = args.TransposeB, Accumulate = args.Accumulate });
            }
        }
    }

    private void PerGroupOutput(in GroupedMatMulArgs args, int e, int first, int rows)
    {
        View y = Index(args.Y, e);
        if (rows > 0)
        {
            MatMul(new() { A = Rows(args.A, first, rows), B = Rows(args.B, first, rows), Y = y, TransposeA = true, Accumulate = args.Accumulate });
        }
        else if (!args.Accumulate)
        {
            Fill.Run(context, y, 0);
        }
    }

    private static View Rows(in View x, int first, int rows) => x.With(x.Layout.Slice(0, first, rows, out long offset), offset);

    private static View Index(in View x, int e)
    {
        Layout one = x.Layout.Slice(0, e, 1, out long offset);
        return x.With(Layout.Of(one[1], one[2]), offset);
    }

    /// <summary>A matrix per batch.</summary>
    private struct Matrices
    {
        private readonly void* _address;
        private readonly bool _double;
        private readonly int _rank;
        private readonly long _row;
        private readonly long _column;
        private Layout _batch;

        public Matrices(in View x, in Layout y, bool transpose)
        {
            _address = x.Address;
            _double = x.Type == DType.Float64;
            _rank = y.Rank;
            _batch = y;
            _row = x.Layout.Stride(transpose ? -1 : -2);
            _column = x.Layout.Stride(transpose ? -2 : -1);
            for (int i = 0; i < Layout.MaxRank; i++)
            {
                Strides[i] = 0;
            }

            for (int i = 0; i < x.Layout.Rank - 2; i++)
            {
                Strides[i + y.Rank - x.Layout.Rank] = x.Layout[i] == 1 ? 0 : x.Layout.Stride(i);
            }
        }

        public fixed long Strides[Layout.MaxRank];

        public readonly bool IsNone => _address is null;

        public readonly long Base(long batch)
        {
            long offset = 0;
            for (int i = _rank - 3; i >= 0; i--)
            {
                (batch, long index) = Math.DivRem(batch, (long)_batch[i]);
                offset += index * Strides[i];
            }

            return offset;
        }

        public readonly double Get(long offset, long i, long j)
        {
            long at = offset + i * _row + j * _column;
            return _double ? ((double*)_address)[at] : ((float*)_address)[at];
        }

        public readonly void Set(long offset, long i, long j, double value)
        {
            long at = offset + i * _row + j * _column;
            if (_double)
            {
                ((double*)_address)[at] = value;
            }
            else
            {
                ((float*)_address)[at] = (float)value;
            }
        }
    }

    private struct Work : IWork
    {
        public Matrices A;
        public Matrices B;
        public Matrices Y;
        public Matrices Bias;
        public Matrices Residual;
        public int M;
        public int N;
        public int K;
        public double Alpha;
        public bool Accumulate;

        public void Invoke(long item, int worker)
        {
            (long batch, long i) = Math.DivRem(item, (long)M);
            long a = A.Base(batch), b = B.Base(batch), y = Y.Base(batch), residual = Residual.IsNone ? 0 : Residual.Base(batch);
            for (int j = 0; j < N; j++)
            {
                double sum = 0;
                for (int k = 0; k < K; k++)
                {
                    sum += A.Get(a, i, k) * B.Get(b, k, j);
                }

                sum *= Alpha;
                sum += Bias.IsNone ? 0 : Bias.Get(0, 0, j);
                sum += Residual.IsNone ? 0 : Residual.Get(residual, i, j);
                Y.Set(y, i, j, Accumulate ? Y.Get(y, i, j) + sum : sum);
            }
        }
    }
}
