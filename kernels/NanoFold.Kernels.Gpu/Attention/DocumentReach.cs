using ILGPU;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>
/// How far documents reach, for units of tokens: the least and the largest number in a unit, and the tokens outside of which nothing is in one of its
/// documents. Known where documents are packed (their numbers never fall from unit to unit); otherwise all tokens are within reach, and numbers are compared.
/// </summary>
internal struct DocumentReach
{
    /// <summary>Tokens of a unit.</summary>
    public const int Unit = 32;

    /// <summary>Numbers that are kept of a unit: least, largest, first token in reach, one after the last.</summary>
    public const int Numbers = 4;

    public int IsKnown, Units;

    /// <summary>[B, units, 4].</summary>
    public ArrayView<int> Memory;

    /// <summary>Integers that it takes; 0 without documents.</summary>
    public static long Length(in AttentionShape shape) => shape.HasDocuments ? (long)shape.Batch * Count(shape.Keys) * Numbers : 0;

    public static int Count(int keys) => (keys + Unit - 1) / Unit;

    /// <summary>Looks at the documents [B, S].</summary>
    public static DocumentReach Find(GpuContext context, ArrayView<int> documents, int batch, int keys, ArrayView<int> memory)
    {
        var reach = new DocumentReach { IsKnown = 1, Units = Count(keys), Memory = memory };
        context.Launch(new DocumentReachWork { Documents = documents, Reach = memory, Keys = keys, Units = reach.Units }, batch, context.GroupSize);
        return reach;
    }

    /// <summary>First token within reach of one at a position.</summary>
    public readonly int Low(int batch, int position) => Memory[At(batch, position / Unit) + 2];

    /// <summary>One after the last token within reach.</summary>
    public readonly int High(int batch, int position) => Memory[At(batch, position / Unit) + 3];

    /// <summary>Range of the documents of tokens [first, last].</summary>
    public readonly void Range(int batch, int first, int last, out int least, out int largest)
    {
        long at = At(batch, first / Unit);
        least = Memory[at];
        largest = Memory[at + 1];
        for (int unit = first / Unit + 1; unit <= last / Unit; unit++)
        {
            at += Numbers;
            least = IntrinsicMath.Min(least, Memory[at]);
            largest = IntrinsicMath.Max(largest, Memory[at + 1]);
        }
    }

    private readonly long At(int batch, int unit) => ((long)batch * Units + unit) * Numbers;
}

/// <summary>Fills a <see cref="DocumentReach"/>. A group takes a batch row.</summary>
internal struct DocumentReachWork : IGpuWork<DocumentReachWork>
{
    public ArrayView<int> Documents, Reach;
    public int Keys, Units;

    public static void Run(DocumentReachWork w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        long tokens = (long)Grid.IdxX * w.Keys, row = (long)Grid.IdxX * w.Units * DocumentReach.Numbers;
        for (int unit = Group.IdxX; unit < w.Units; unit += Group.DimX)
        {
            int first = unit * DocumentReach.Unit, end = IntrinsicMath.Min(first + DocumentReach.Unit, w.Keys);
            int least = w.Documents[tokens + first], largest = least;
            for (int i = first + 1; i < end; i++)
            {
                int document = w.Documents[tokens + i];
                least = IntrinsicMath.Min(least, document);
                largest = IntrinsicMath.Max(largest, document);
            }

            long at = row + unit * DocumentReach.Numbers;
            w.Reach[at] = least;
            w.Reach[at + 1] = largest;
        }

        Group.Barrier();
        float falls = 0;
        for (int unit = Group.IdxX + 1; unit < w.Units; unit += Group.DimX)
        {
            long at = row + unit * DocumentReach.Numbers;
            if (w.Reach[at - DocumentReach.Numbers + 1] > w.Reach[at])
            {
                falls = 1;
            }
        }

        falls = GroupReduce.Max(shared, falls);
        for (int unit = Group.IdxX; unit < w.Units; unit += Group.DimX)
        {
            long at = row + unit * DocumentReach.Numbers;
            int first = 0, end = w.Units;
            if (falls == 0)
            {
                first = unit;
                while (first > 0 && w.Reach[row + (first - 1) * DocumentReach.Numbers + 1] >= w.Reach[at])
                {
                    first--;
                }

                end = unit + 1;
                while (end < w.Units && w.Reach[row + end * DocumentReach.Numbers] <= w.Reach[at + 1])
                {
                    end++;
                }
            }

            w.Reach[at + 2] = first * DocumentReach.Unit;
            w.Reach[at + 3] = IntrinsicMath.Min(end * DocumentReach.Unit, w.Keys);
        }
    }
}
