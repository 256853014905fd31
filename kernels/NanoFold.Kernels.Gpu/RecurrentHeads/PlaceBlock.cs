using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Time;

namespace NanoFold.Kernels.Gpu.RecurrentHeads;

/// <summary>
/// Sixteen places that a group works on at once, in shared memory: how the state fades from the first of them to each (sums of log decays, so that only
/// differences inside of the sixteen are ever raised), and where documents begin.
/// </summary>
internal struct PlaceBlock
{
    public const int Places = 16;

    /// <summary>Between elements of a key in shared memory: four places lie together, and neighbors on other banks.</summary>
    public const int Stride = Places + 4;

    /// <summary>[16]: running sums of log decays; 0 for decays of elements.</summary>
    public ArrayView<float> Sums;

    /// <summary>[16]: beginnings of documents up to a place.</summary>
    public ArrayView<int> Begun;

    /// <summary>[16]: β, 0 after the last place, 1 without the delta rule.</summary>
    public ArrayView<float> Beta;

    /// <summary>[16]: what a place finds of the state that comes in; 0 after a beginning, 1 for what decays of elements still do.</summary>
    public ArrayView<float> Comes;

    /// <summary>[16]: what the last place finds of what a place wrote.</summary>
    public ArrayView<float> Stays;

    /// <summary>What all of it is multiplied with that comes in, at the last place.</summary>
    public readonly float Passes => Comes[Places - 1];

    /// <summary>Room in shared memory.</summary>
    public static PlaceBlock Allocate() => new()
    {
        Sums = SharedMemory.Allocate<float>(Places),
        Begun = SharedMemory.Allocate<int>(Places),
        Beta = SharedMemory.Allocate<float>(Places),
        Comes = SharedMemory.Allocate<float>(Places),
        Stays = SharedMemory.Allocate<float>(Places),
    };

    /// <summary>Reads what places from <paramref name="first"/> on have; after <paramref name="count"/> of them nothing changes. A barrier must follow.</summary>
    public static void Load<T>(in PlaceBlock block, in HeadsView<T> heads, int batch, int head, int first, int count)
        where T : unmanaged, IElement<T>
    {
        for (int t = Group.IdxX; t < Places; t += Group.DimX)
        {
            float sum = 0, all = 0;
            int begun = 0, allBegun = 0;
            for (int i = 0; i < count; i++)
            {
                if (heads.Decay.Has != 0 && heads.IsVector == 0)
                {
                    all += PlaceView<T>.Read(heads.Decay, batch, first + i, head, 0);
                }

                if (Seams<T>.Carries(heads.Seams, batch, first + i) == 0)
                {
                    allBegun++;
                }

                if (i <= t)
                {
                    sum = all;
                    begun = allBegun;
                }
            }

            float beta = 0;
            if (t < count)
            {
                beta = 1;
                if (heads.Beta.Has != 0)
                {
                    beta = PlaceView<T>.Read(heads.Beta, batch, first + t, head, 0);
                }
            }

            float comes = 0, stays = 0;
            if (begun == 0)
            {
                comes = XMath.Exp(sum);
            }

            if (begun == allBegun)
            {
                stays = XMath.Exp(all - sum);
            }

            block.Sums[t] = sum;
            block.Begun[t] = begun;
            block.Beta[t] = beta;
            block.Comes[t] = comes;
            block.Stays[t] = stays;
        }
    }

    /// <summary>Elements [start, start + slice) of the keys or queries of one head, [slice, 16] by <see cref="Stride"/>; zeros for what is not there.</summary>
    public static void LoadRows<T>(ArrayView<float> tile, in HeadView<T> x, int batch, int head, int first, int count, int start, int slice, float scale)
        where T : unmanaged, IElement<T>
    {
        for (int i = Group.IdxX; i < slice * Places; i += Group.DimX)
        {
            int t = i / slice, d = i - t * slice;
            float value = 0;
            if (t < count && start + d < x.Depth)
            {
                value = scale * T.Read(x.Memory[x.Row(batch, first + t, head) + start + d]);
            }

            tile[d * Stride + t] = value;
        }
    }

    /// <summary>Running sums of the log decays of elements [start, start + slice), [slice, 16] by <see cref="Stride"/>.</summary>
    public static void LoadSums<T>(ArrayView<float> tile, in HeadsView<T> heads, int batch, int head, int first, int count, int start, int slice)
        where T : unmanaged, IElement<T>
    {
        for (int d = Group.IdxX; d < slice; d += Group.DimX)
        {
            float sum = 0;
            for (int t = 0; t < Places; t++)
            {
                if (t < count && start + d < heads.KeyWidth)
                {
                    sum += PlaceView<T>.Read(heads.Decay, batch, first + t, head, start + d);
                }

                tile[d * Stride + t] = sum;
            }
        }
    }

    /// <summary>What is left of a write at place s after place t ≥ s.</summary>
    public static float Between(in PlaceBlock block, int s, int t)
    {
        float factor = 0;
        if (block.Begun[t] == block.Begun[s])
        {
            factor = XMath.Exp(block.Sums[t] - block.Sums[s]);
        }

        return factor;
    }

    /// <summary>
    /// Scores of pairs in one slice, added: reads[t, s] of q and k, writes[t, s] of k and k, s ≤ t, with what decays of elements leave of them. [16, 16] each.
    /// </summary>
    public static void AddScores(
        in PlaceBlock block, ArrayView<float> q, ArrayView<float> k, ArrayView<float> sums, int slice, int isVector, int isDelta, int isFirst, ArrayView<float> reads, ArrayView<float> meets)
    {
        for (int i = Group.IdxX; i < Places * Places; i += Group.DimX)
        {
            int t = i / Places, s = i - t * Places;
            float read = 0, meet = 0;
            if (s <= t && block.Begun[t] == block.Begun[s])
            {
                for (int d = 0; d < slice; d++)
                {
                    int at = d * Stride;
                    float key = k[at + s];
                    if (isVector != 0)
                    {
                        key *= XMath.Exp(sums[at + t] - sums[at + s]);
                    }

                    read += q[at + t] * key;
                    meet += k[at + t] * key;
                }
            }

            float old = 0, oldMeet = 0;
            if (isFirst == 0)
            {
                old = reads[i];
                oldMeet = meets[i];
            }

            reads[i] = old + read;
            meets[i] = s < t && isDelta != 0 ? oldMeet + meet : 0f;
        }
    }

    /// <summary>Multiplies scores by what decays of heads leave; each thread its own of <see cref="AddScores"/>.</summary>
    public static void Fade(in PlaceBlock block, ArrayView<float> reads, ArrayView<float> meets)
    {
        for (int i = Group.IdxX; i < Places * Places; i += Group.DimX)
        {
            int t = i / Places, s = i - t * Places;
            float factor = 0;
            if (s <= t)
            {
                factor = Between(block, s, t);
            }

            reads[i] *= factor;
            meets[i] *= factor;
        }
    }

    /// <summary>Multiplies elements by what their decays make of them from the first place on (<paramref name="toEnd"/> 0), or from their own place to the last.</summary>
    public static void FadeRows(ArrayView<float> x, ArrayView<float> sums, int slice, int toEnd)
    {
        for (int i = Group.IdxX; i < slice * Places; i += Group.DimX)
        {
            int at = i / Places * Stride + i % Places;
            float sum = sums[at];
            if (toEnd != 0)
            {
                sum = sums[i / Places * Stride + Places - 1] - sum;
            }

            x[at] *= XMath.Exp(sum);
        }
    }
}
