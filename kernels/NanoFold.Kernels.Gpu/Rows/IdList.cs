using ILGPU;
using NanoFold.Kernels.Gpu.Attention.Full;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>Where an id occurs in a window of ids: a list in shared memory, in an order that depends on the places only. All threads of a group call.</summary>
internal struct IdList
{
    /// <summary>Ids of a thread in a window.</summary>
    public const int PerThread = 16;

    /// <summary>Threads whose numbers are added up by one.</summary>
    private const int Block = 16;

    /// <summary>Places in the window: of each thread's ids in turn, those it is at every group's width.</summary>
    public ArrayView<ushort> Places;

    /// <summary>How often each thread found the id, and the sums of these over blocks of threads.</summary>
    public ArrayView<int> Counts, Sums;

    public static int Window => PerThread * Group.DimX;

    /// <summary>Makes the list of the window from <paramref name="start"/> on.</summary>
    /// <returns>How long it is.</returns>
    public static int Find(IdList list, ArrayView<int> ids, int count, int start, int id)
    {
        int thread = Group.IdxX, threads = Group.DimX, found = 0, own = 0, last = count - 1;
        for (int k = 0; k < PerThread && start + k * threads < count; k += 4)
        {
            // All loads first, so that they are under way together.
            int a = start + k * threads + thread, b = a + threads, c = b + threads, d = c + threads;
            int idA = ids[IntrinsicMath.Min(a, last)], idB = ids[IntrinsicMath.Min(b, last)];
            int idC = ids[IntrinsicMath.Min(c, last)], idD = ids[IntrinsicMath.Min(d, last)];
            int bits = (idA == id && a < count ? 1 : 0) | (idB == id && b < count ? 2 : 0) | (idC == id && c < count ? 4 : 0) | (idD == id && d < count ? 8 : 0);
            found |= bits << k;
            own += (bits & 1) + ((bits >> 1) & 1) + ((bits >> 2) & 1) + (bits >> 3);
        }

        Group.Barrier();
        list.Counts[thread] = own;
        Group.Barrier();
        int blocks = (threads + Block - 1) / Block;
        if (thread < blocks)
        {
            list.Sums[thread] = Sum(list.Counts, thread * Block, IntrinsicMath.Min((thread + 1) * Block, threads));
        }

        Group.Barrier();
        if (own > 0)
        {
            int at = Sum(list.Sums, 0, thread / Block) + Sum(list.Counts, thread / Block * Block, thread);
            for (int k = 0; k < PerThread; k++)
            {
                if (((found >> k) & 1) != 0)
                {
                    list.Places[at] = (ushort)(k * threads + thread);
                    at++;
                }
            }
        }

        int length = Sum(list.Sums, 0, blocks);
        Group.Barrier();
        return length;
    }

    /// <summary>Whether an id is not among those before a place.</summary>
    public static bool IsFirst(IdList list, ArrayView<int> ids, int place)
    {
        int thread = Group.IdxX, threads = Group.DimX, id = ids[place], seen = 0;
        for (int i = thread; i < place; i += 4 * threads)
        {
            int last = place - 1, b = IntrinsicMath.Min(i + threads, last), c = IntrinsicMath.Min(i + 2 * threads, last), d = IntrinsicMath.Min(i + 3 * threads, last);
            seen |= (ids[i] == id ? 1 : 0) | (ids[b] == id ? 1 : 0) | (ids[c] == id ? 1 : 0) | (ids[d] == id ? 1 : 0);
        }

        if (thread == 0)
        {
            list.Sums[0] = 0;
        }

        Group.Barrier();
        if (seen != 0)
        {
            list.Sums[0] = 1;
        }

        Group.Barrier();
        return list.Sums[0] == 0;
    }

    private static int Sum(ArrayView<int> x, int start, int end)
    {
        int sum = 0;
        for (int i = start; i < end; i++)
        {
            sum += x[i];
        }

        return sum;
    }
}
