using System.Runtime.CompilerServices;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time.Selective;

/// <summary>What both directions of a selective scan read, and how they cut it: some channels of one row, all of time, chunk after chunk.</summary>
internal unsafe struct SelectiveProblem
{
    /// <summary>Numbers of a state that are walked together, in registers.</summary>
    public const int Together = 4;

    /// <summary>Channels of an item: what it works on stays in the second-level cache.</summary>
    public const int Channels = 256;

    /// <summary>1 / ln 2: exp(Δ A) = 2^(Δ A / ln 2).</summary>
    public const double OfTwo = 1.4426950408889634;

    public required CpuContext Context;
    public required Walk Walk;
    public required Steps X;
    public required Steps Delta;
    public required Steps In;
    public required Steps Out;
    public required byte* LogDecay;
    public required byte* Skip;

    /// <summary>N.</summary>
    public required int States;

    /// <summary>The channels of a work item.</summary>
    public readonly Item ItemOf(long index)
    {
        Walk.Item(index, out int row, out int channel, out int channels);
        return new Item(row, channel, channels);
    }

    /// <summary>−exp(logDecay) of an item's channels, [blocks][N] lanes.</summary>
    public readonly void Decays<V>(in Item item, byte* decays)
        where V : struct, ICpuLane<V>
    {
        byte* lane = stackalloc byte[64];
        int size = V.Type.Size();
        for (int i = 0; i < item.Channels; i += V.Width)
        {
            int count = Math.Min(V.Width, item.Channels - i);
            for (int n = 0; n < States; n++, decays += V.Width * size)
            {
                V.Store(lane, 0, V.Constant(0));
                Element.CopyStrided<V>(LogDecay + (((nint)item.Channel + i) * States + n) * size, States, lane, count);
                V.Store(decays, 0, -V.Exp(V.Load(lane, 0)));
            }
        }
    }

    /// <summary>Places of a chunk at which something begins, the first place not, in their order; how many.</summary>
    public readonly int Begins(int row, int first, int count, int* begins)
    {
        int found = 0;
        for (int t = 1; t < count; t++)
        {
            if (Walk.Carries(row, first + t, Walk.Time) == 0)
            {
                begins[found++] = t;
            }
        }

        begins[found] = count;
        return found;
    }

    /// <summary>Kept states before a chunk, [N, C], from an item's first channel on.</summary>
    public readonly byte* KeptAt(byte* kept, in Item item, int chunk, int size)
        => kept + ((((nint)item.Row * SelectiveScanCall.Chunks(Walk.Time)) + chunk) * States * Walk.Width + item.Channel) * size;

    /// <summary>Channels of one row.</summary>
    public readonly record struct Item(int Row, int Channel, int Channels)
    {
        public int Blocks<V>()
            where V : struct, ICpuLane<V>
            => (Channels + V.Width - 1) / V.Width;
    }
}

/// <summary>A tile [blocks][places] of lanes: the places of a block of channels lie beside each other, blocks on other lines of the cache.</summary>
internal readonly unsafe struct LaneTile<V>(byte* address, int places)
    where V : struct, ICpuLane<V>
{
    public static long Bytes(int blocks, int places) => (long)blocks * (places + 1) * V.Width * V.Type.Size();

    /// <summary>The first place of a block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Block(int block) => address + (nint)block * (places + 1) * V.Width * V.Type.Size();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* At(int block, int place) => address + ((nint)block * (places + 1) + place) * V.Width * V.Type.Size();
}
