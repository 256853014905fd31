using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Residuals;

/// <summary>
/// With l the logits α z + b: dl from the gradients of pre, post and res, dy = r α dl, dx = −x r³ / (nC) · Σ α dl y. What sums to b's and α's gradients, dl and
/// dl z by part, goes to <see cref="DLogits"/>.
/// </summary>
internal unsafe struct StreamGatesBackward : ILaneWork
{
    public CpuContext Context;
    public byte* X;
    public byte* Y;
    public void* Alpha;
    public void* Bias;
    public void* Statistics;
    public byte* DPre;
    public byte* DPost;
    public byte* DRes;
    public byte* DX;
    public byte* DY;
    public byte* DLogits;
    public long Tokens;
    public int TokensPerItem;
    public int Streams;
    public int Width;
    public int Rounds;
    public bool AccumulateX;
    public bool AccumulateY;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long token = item * TokensPerItem, end = Math.Min(token + TokensPerItem, Tokens);
        int n = Streams, values = n * (n + 2);
        nint lane = V.Width * Element.Size<V>();
        byte* logits = (byte*)Context.Scratch(worker, ((2 * values) + SinkhornLanes.Factors(n, Rounds) + (2 * n) + 4) * lane);
        byte* gradients = logits + (values * lane), factors = gradients + (values * lane), room = factors + (SinkhornLanes.Factors(n, Rounds) * lane);
        byte* inverse = room + (2 * n * lane), z = inverse + lane, slopes = z + lane;
        for (; token < end; token += V.Width)
        {
            int count = (int)Math.Min(V.Width, end - token);
            GateLanes.Logits<V>(Y, Alpha, Bias, Statistics, token, count, n, logits, inverse);
            for (int j = 0; j < n; j++)
            {
                V pre = LaneFormulas.Sigmoid(V.Load(logits, j * V.Width)), post = LaneFormulas.Sigmoid(V.Load(logits, (n + j) * V.Width)), one = V.Constant(1);
                V.Store(gradients, j * V.Width, Gathered<V>(DPre, token, count, n, j, z) * pre * (one - pre));
                V.Store(gradients, (n + j) * V.Width, Gathered<V>(DPost, token, count, n, j, z) * V.Constant(2) * post * (one - post));
            }

            byte* e = logits + (2 * n * lane), g = gradients + (2 * n * lane);
            for (int k = 0; k < n * n; k++)
            {
                V.Store(g, k * V.Width, Gathered<V>(DRes, token, count, n * n, k, z));
            }

            if (Rounds > 0)
            {
                SinkhornLanes.Forward<V>(e, factors, n, Rounds);
                SinkhornLanes.Backward<V>(e, factors, g, room, n, Rounds);
            }

            Finish<V>(token, count, gradients, V.Load(inverse, 0), z, slopes);
        }
    }

    private readonly void Finish<V>(long token, int count, byte* gradients, V inverse, byte* room, byte* slopes)
        where V : struct, ICpuLane<V>
    {
        int n = Streams, values = n * (n + 2), columns = values + 3;
        nint size = Element.Size<V>(), lane = V.Width * size;
        V total = V.Constant(0), part = total;
        for (int k = 0; k < values; k++)
        {
            int of = GateLanes.Part(k, n);
            V dl = V.Load(gradients, k * V.Width), z = GateLanes.Z<V>(Y, token, count, values, k, inverse, room), alpha = V.Constant(Element.Get<V>(Alpha, of));
            total = V.MultiplyAdd(alpha * dl, z, total);
            part = V.MultiplyAdd(dl, z, part);
            Strides.Scatter<V>(gradients + (k * lane), DLogits + (((nint)token * columns) + k) * size, 0, columns, count);
            if (DY is not null)
            {
                V.Store(room, 0, alpha * dl * inverse);
                Put<V>(room, DY, token, count, values, k, AccumulateY);
            }

            if (k + 1 == values || GateLanes.Part(k + 1, n) != of)
            {
                V.Store(room, 0, part);
                Strides.Scatter<V>(room, DLogits + (((nint)token * columns) + values + of) * size, 0, columns, count);
                part = V.Constant(0);
            }
        }

        if (DX is not null)
        {
            int row = n * Width;
            V.Store(slopes, 0, -(total * inverse * inverse) / V.Constant(row));
            for (int t = 0; t < count; t++)
            {
                Scale<V>(X + ((nint)(token + t) * row * size), DX + ((nint)(token + t) * row * size), V.Splat(slopes, t), row, AccumulateX);
            }
        }
    }

    private static V Gathered<V>(byte* values, long token, int count, int perToken, int k, void* room)
        where V : struct, ICpuLane<V>
    {
        V.Store(room, 0, V.Constant(0));
        if (values is not null)
        {
            Strides.Gather<V>(values + (((nint)token * perToken) + k) * Element.Size<V>(), 0, perToken, count, room);
        }

        return V.Load(room, 0);
    }

    private static void Put<V>(void* lane, byte* values, long token, int count, int perToken, int k, bool accumulate)
        where V : struct, ICpuLane<V>
        => Strides.Move<V>(lane, 1, values + (((nint)token * perToken) + k) * Element.Size<V>(), perToken, count, accumulate);

    private static void Scale<V>(byte* x, byte* y, V factor, nint width, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        nint i = 0;
        for (; i <= width - V.Width; i += V.Width)
        {
            V.Store(y, i, accumulate ? V.MultiplyAdd(V.Load(x, i), factor, V.Load(y, i)) : V.Load(x, i) * factor);
        }

        int rest = (int)(width - i);
        if (rest > 0)
        {
            V.StorePart(y, i, rest, accumulate ? V.MultiplyAdd(V.LoadPart(x, i, rest), factor, V.LoadPart(y, i, rest)) : V.LoadPart(x, i, rest) * factor);
        }
    }
}
