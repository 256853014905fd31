using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Selected;

/// <summary>Choices of key blocks on a GPU: a group a list.</summary>
internal sealed class GpuBlockChoice(GpuContext context) : IKernel<BlockChoiceCall>, IKernel<BlockPatternCall>
{
    /// <summary>Groups at most: each has two rows of numbers in memory.</summary>
    private const int MostGroups = 2048;

    public void Run(in BlockChoiceCall call)
    {
        call.Check();
        ByElement.Run(BlockChoiceCall.Name, call.Q, new ChoiceBody(context, call));
    }

    public void Run(in BlockPatternCall call)
    {
        call.Check();
        var work = new BlockPatternWork
        {
            Lists = context.View<int>(call.Lists), Lengths = context.View<int>(call.Lengths), Positions = context.View<int>(call.Positions),
            HasPositions = call.Positions.IsNone ? 0 : 1, Rows = call.Lists.Layout[2], Lines = checked((int)call.Lengths.Count), Most = call.Lists.Layout[3],
            Size = call.Size, QuerySize = call.QuerySize, Local = call.Local, Stride = call.Stride,
        };
        context.LaunchThreads(work, work.Lines);
    }

    private readonly struct ChoiceBody(GpuContext context, BlockChoiceCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            int rows = checked((int)call.Lengths.Count), blocks = call.Means.Layout[1], groups = Math.Min(rows, context.IsSimulator ? 1 : MostGroups);
            var work = new BlockChoiceWork<T>
            {
                Q = HeadView<T>.Of(context, call.Q), Means = HeadView<T>.Of(context, call.Means), LogSumExp = context.View<float>(call.LogSumExp),
                Lists = context.View<int>(call.Lists), Lengths = context.View<int>(call.Lengths), Documents = context.View<int>(call.Documents),
                Positions = context.View<int>(call.Positions), Counts = context.View<int>(call.Counts), HasDocuments = call.Documents.IsNone ? 0 : 1,
                IsDecoding = call.Positions.IsNone ? 0 : 1, IsShared = call.LogSumExp.IsNone ? 0 : 1, Time = call.Q.Layout[1], Heads = call.Q.Layout[2],
                GroupHeads = call.Q.Layout[2] / call.Means.Layout[2], Blocks = blocks, Most = call.Lists.Layout[3], Size = call.Size, Rows = rows, Scale = (float)call.Scale,
                Scratch = context.Scratch(2L * groups * blocks * sizeof(float)).Cast<float>(),
            };
            context.Launch(work, groups, context.GroupSize);
        }
    }
}

/// <summary>Lists of the blocks with the best means. Ranks are counted, n² / threads comparisons.</summary>
internal struct BlockChoiceWork<T> : IGpuWork<BlockChoiceWork<T>>
    where T : unmanaged, IElement<T>
{
    /// <summary>Above any score: of blocks that are always taken.</summary>
    private const float Highest = 3e38f;

    private const float Lowest = -3e38f;

    public HeadView<T> Q, Means;
    public ArrayView<float> LogSumExp, Scratch;
    public ArrayView<int> Lists, Lengths, Documents, Positions, Counts;
    public int HasDocuments, IsDecoding, IsShared, Time, Heads, GroupHeads, Blocks, Most, Size, Rows;
    public float Scale;

    public static void Run(BlockChoiceWork<T> w)
    {
        ArrayView<float> scores = w.Scratch.SubView(2L * Grid.IdxX * w.Blocks, w.Blocks), chosen = w.Scratch.SubView(((2L * Grid.IdxX) + 1) * w.Blocks, w.Blocks);
        int lists = w.IsShared != 0 ? w.Heads / w.GroupHeads : w.Heads;
        for (int row = Grid.IdxX; row < w.Rows; row += Grid.DimX)
        {
            int query = row % w.Time, list = row / w.Time % lists, batch = row / w.Time / lists;
            int position = query;
            bool isThere = true;
            if (w.IsDecoding != 0)
            {
                position += w.Positions[batch];
                isThere = query < w.Counts[batch] && position >= 0;
            }

            int own = isThere ? IntrinsicMath.Min(position / w.Size, w.Blocks - 1) : -1, low = 0;
            while (w.HasDocuments != 0 && low < own && !w.IsOf(batch, low, position))
            {
                low++;
            }

            for (int c = Group.IdxX; c <= own; c += Group.DimX)
            {
                scores[c] = w.Score(batch, list, query, position, c, low, own);
            }

            Group.Barrier();
            for (int c = Group.IdxX; c <= own; c += Group.DimX)
            {
                float score = scores[c];
                int rank = 0;
                for (int j = 0; j <= own; j++)
                {
                    float other = scores[j];
                    rank += other > score || (other == score && j < c) ? 1 : 0;
                }

                chosen[c] = score > Lowest && rank < w.Most ? 1f : 0f;
            }

            Group.Barrier();
            int length = 0;
            for (int c = 0; c <= own; c++)
            {
                // Every thread counts, one writes.
                if (chosen[c] > 0.5f && length < w.Most)
                {
                    if (Group.IdxX == 0)
                    {
                        w.Lists[((long)row * w.Most) + length] = c;
                    }

                    length++;
                }
            }

            for (int i = length + Group.IdxX; i < w.Most; i += Group.DimX)
            {
                w.Lists[((long)row * w.Most) + i] = -1;
            }

            if (Group.IdxX == 0)
            {
                w.Lengths[row] = length;
            }

            Group.Barrier();
        }
    }

    private readonly float Score(int batch, int list, int query, int position, int block, int low, int own)
    {
        float score = Highest;
        bool isForced = block == own || (IsShared != 0 && (block == low || block == own - 1) && block >= low);
        if (!isForced)
        {
            score = Lowest;
            if (block >= low && (HasDocuments == 0 || IsOf(batch, block, position)))
            {
                score = 0;
                int heads = IsShared != 0 ? GroupHeads : 1, first = list * heads;
                for (int h = first; h < first + heads; h++)
                {
                    float dot = RowWeights.Dot(Q, Q.Row(batch, query, h), Means, Means.Row(batch, block, h / GroupHeads));
                    score += IsShared == 0 ? dot : XMath.Exp((dot * Scale) - LogSumExp[((((long)batch * Heads) + h) * Time) + query]);
                }
            }
        }

        return score;
    }

    private readonly bool IsOf(int batch, int block, int position)
    {
        long row = (long)batch * Time;
        return Documents[row + IntrinsicMath.Min((block + 1) * Size, Time) - 1] == Documents[row + position];
    }
}

/// <summary>Lists of blocks by position: a thread a list.</summary>
internal struct BlockPatternWork : IGpuWork<BlockPatternWork>
{
    public ArrayView<int> Lists, Lengths, Positions;
    public int HasPositions, Rows, Lines, Most, Size, QuerySize, Local, Stride;

    public static void Run(BlockPatternWork w)
    {
        int line = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (line >= w.Lines)
        {
            return;
        }

        int position = line % w.Rows * w.QuerySize;
        if (w.HasPositions != 0)
        {
            position += w.Positions[line / w.Rows];
        }

        int own = position / w.Size, count = 0;
        for (int block = 0; block <= own && count < w.Most; block++)
        {
            int back = own - block;
            if (back < w.Local || back % w.Stride == 0)
            {
                w.Lists[((long)line * w.Most) + count] = block;
                count++;
            }
        }

        w.Lengths[line] = count;
        for (int i = count; i < w.Most; i++)
        {
            w.Lists[((long)line * w.Most) + i] = -1;
        }
    }
}
