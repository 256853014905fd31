using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Residuals;

/// <summary>y_i (+)= Σ_j A_ij x_j + b_i f, token by token.</summary>
internal unsafe struct StreamMix : ILaneWork
{
    public Coefficients A;
    public Coefficients B;
    public byte* X;
    public byte* F;
    public byte* Y;
    public long Tokens;
    public long TokensPerItem;
    public int Inputs;
    public int Outputs;
    public int Width;
    public bool Accumulate;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long end = Math.Min((item + 1) * TokensPerItem, Tokens);
        for (long token = item * TokensPerItem; token < end; token++)
        {
            Token<V>(token);
        }
    }

    public readonly void Token<V>(long token)
        where V : struct, ICpuLane<V>
    {
        nint bytes = Width * Element.Size<V>();
        byte* x = X + (nint)token * Inputs * bytes, f = F is null ? null : F + (nint)token * bytes;
        for (int i = 0; i < Outputs; i++)
        {
            Row<V>(token, i, x, f, Y + (((nint)token * Outputs) + i) * bytes);
        }
    }

    private readonly void Row<V>(long token, int i, byte* x, byte* f, byte* y)
        where V : struct, ICpuLane<V>
    {
        nint c = 0, width = Width;
        for (; c <= width - (4 * V.Width); c += 4 * V.Width)
        {
            Four<V>(token, i, x, f, y, c);
        }

        for (; c <= width - V.Width; c += V.Width)
        {
            One<V, Whole<V>>(token, i, x, f, y, c, 0);
        }

        if (c < width)
        {
            One<V, Part<V>>(token, i, x, f, y, c, (int)(width - c));
        }
    }

    // Four lanes beside each other share a coefficient's load.
    private readonly void Four<V>(long token, int i, byte* x, byte* f, byte* y, nint c)
        where V : struct, ICpuLane<V>
    {
        V y0 = Accumulate ? V.Load(y, c) : V.Constant(0), y1 = Accumulate ? V.Load(y, c + V.Width) : V.Constant(0);
        V y2 = Accumulate ? V.Load(y, c + (2 * V.Width)) : V.Constant(0), y3 = Accumulate ? V.Load(y, c + (3 * V.Width)) : V.Constant(0);
        nint bytes = Width * Element.Size<V>();
        byte* xj = x;
        for (int j = 0; j < Inputs; j++, xj += bytes)
        {
            V a = V.Splat(A.Address, A.At(token, i, j));
            y0 = V.MultiplyAdd(a, V.Load(xj, c), y0);
            y1 = V.MultiplyAdd(a, V.Load(xj, c + V.Width), y1);
            y2 = V.MultiplyAdd(a, V.Load(xj, c + (2 * V.Width)), y2);
            y3 = V.MultiplyAdd(a, V.Load(xj, c + (3 * V.Width)), y3);
        }

        if (f is not null)
        {
            V b = V.Splat(B.Address, B.At(token, i, 0));
            y0 = V.MultiplyAdd(b, V.Load(f, c), y0);
            y1 = V.MultiplyAdd(b, V.Load(f, c + V.Width), y1);
            y2 = V.MultiplyAdd(b, V.Load(f, c + (2 * V.Width)), y2);
            y3 = V.MultiplyAdd(b, V.Load(f, c + (3 * V.Width)), y3);
        }

        V.Store(y, c, y0);
        V.Store(y, c + V.Width, y1);
        V.Store(y, c + (2 * V.Width), y2);
        V.Store(y, c + (3 * V.Width), y3);
    }

    private readonly void One<V, P>(long token, int i, byte* x, byte* f, byte* y, nint c, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V sum = Accumulate ? P.Load(y, c, count) : V.Constant(0);
        nint bytes = Width * Element.Size<V>();
        byte* xj = x;
        for (int j = 0; j < Inputs; j++, xj += bytes)
        {
            sum = V.MultiplyAdd(V.Splat(A.Address, A.At(token, i, j)), P.Load(xj, c, count), sum);
        }

        if (f is not null)
        {
            sum = V.MultiplyAdd(V.Splat(B.Address, B.At(token, i, 0)), P.Load(f, c, count), sum);
        }

        P.Store(y, c, count, sum);
    }
}
