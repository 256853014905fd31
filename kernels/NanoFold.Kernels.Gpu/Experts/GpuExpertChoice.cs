using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Kernels.Gpu.Sorting;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>Which experts a token is sent to, what they take, and the bias that balances them, on a GPU. Indices lie on the device and are not checked.</summary>
internal sealed class GpuExpertChoice(GpuContext context) :
    IKernel<ExpertChoiceCall>, IKernel<ExpertCapacityCall>, IKernel<ExpertTallyCall>, IKernel<ExpertBiasCall>
{
    public void Run(in ExpertChoiceCall call)
    {
        call.Check();
        ByElement.Run(ExpertChoiceCall.Name, call.Scores, new ChoiceBody(context, call));
    }

    public void Run(in ExpertCapacityCall call)
    {
        call.Check();
        int experts = checked((int)(call.Routed.Count - 1)), slots = checked((int)call.Indices.Count), count = checked(experts * call.Sequences);
        ArrayView<int> counts = context.Scratch((long)count * sizeof(int)).Cast<int>();
        context.LaunchThreads(
            new ExpertCapacityWork
            {
                Indices = context.View<int>(call.Indices), Kept = context.View<int>(call.Kept), Counts = counts, Sequences = call.Sequences, Experts = experts,
                SlotsPerSequence = slots / call.Sequences, Capacity = call.Capacity,
            },
            count);
        context.Launch(new ScanWork { X = counts, Count = count }, 1, context.GroupSize);
        context.LaunchThreads(
            new ExpertStartsWork { Starts = counts, Routed = context.View<int>(call.Routed), Sequences = call.Sequences, Experts = experts, Slots = slots }, experts + 1);
    }

    public void Run(in ExpertTallyCall call)
    {
        call.Check();
        context.LaunchThreads(
            new ExpertTallyWork
            {
                Routed = context.View<int>(call.Routed), Kept = context.View<int>(call.Kept), Counts = context.View<int>(call.Counts), Experts = checked((int)(call.Routed.Count - 1)),
            },
            call.Routed.Count);
    }

    public void Run(in ExpertBiasCall call)
    {
        call.Check();
        context.Launch(
            new ExpertBiasWork
            {
                Counts = context.View<int>(call.Counts), Bias = context.View<float>(call.Bias), State = context.Slots(call.State), Experts = checked((int)call.Bias.Count), Rate = (float)call.Rate,
            },
            1, context.GroupSize);
    }

    private readonly struct ChoiceBody(GpuContext context, ExpertChoiceCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.LaunchThreads(
                new ExpertChoiceWork<T>
                {
                    Scores = context.View<T>(call.Scores), Bias = context.View<float>(call.Bias), Indices = context.View<int>(call.Indices), ScoreRow = call.Scores.Layout.Stride(0),
                    Tokens = call.Indices.Layout[0], Slots = call.Indices.Layout[1], Experts = call.Scores.Layout[1], Groups = call.Groups, ActiveGroups = call.ActiveGroups,
                    HasBias = call.Bias.IsNone ? 0 : 1,
                },
                call.Indices.Layout[0]);
    }
}
