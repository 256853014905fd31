using ILGPU;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Listed;

/// <summary>Choice of keys by score: a group takes a query and a list at a time, whose row of scores lies in memory.</summary>
internal sealed class GpuKeySelection(GpuContext context) : IKernel<SelectKeysCall>
{
    /// <summary>Groups at most: each has a row of scores in memory.</summary>
    private const int MostGroups = 2048;

    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit.</exception>
    public void Run(in SelectKeysCall call)
    {
        call.Check();
        SelectKeysCall own = call;
        ByElement.Run(SelectKeysCall.Name, call.Q, new Body(context, own));
    }

    private readonly struct Body(GpuContext context, SelectKeysCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            int batch = call.Q.Layout[0], time = call.Q.Layout[1], heads = call.Q.Layout[2], keys = call.K.Layout[1], lists = call.Kept.Layout[1];
            int rows = checked(batch * lists * time), groups = Math.Min(rows, context.IsSimulator ? 1 : MostGroups);
            int blocks = call.KeySize > 1 ? (keys + call.KeySize - 1) / call.KeySize : 0;
            ArrayView<int> memory = context.Scratch((long)groups * (keys + blocks) * sizeof(int)).Cast<int>();
            Layout weights = call.Weights.IsNone ? Layout.Of(1, 1, 1) : call.Weights.Layout;
            var work = new SelectKeysWork<T>
            {
                Q = HeadView<T>.Of(context, call.Q),
                K = HeadView<T>.Of(context, call.K),
                Weights = context.View<T>(call.Weights),
                WeightBatch = weights.Stride(0),
                WeightTime = weights.Stride(1),
                WeightHead = weights.Stride(2),
                Kept = context.View<int>(call.Kept),
                Seen = SeenView.Of(context, call.Visible, time, keys, call.Positions, call.Counts),
                Scratch = memory,
                Scale = (float)call.Scale,
                Mass = (float)call.Mass,
                Floor = call.Floor,
                KeySize = call.KeySize,
                Blocks = blocks,
                Heads = heads,
                GroupHeads = heads / call.K.Layout[2],
                Lists = lists,
                IsWeighted = call.Weights.IsNone ? 0 : 1,
                Most = call.Kept.Layout[3],
                Rows = rows,
            };
            context.Launch(work, groups, context.GroupSize);
        }
    }
}
