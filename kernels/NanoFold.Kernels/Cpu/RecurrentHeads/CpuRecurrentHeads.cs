using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Attention;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>
/// Recurrent heads on the CPU: in chunks, so that nearly all work is products of matrices, or place after place where there are few. Linear in T; the same
/// bits for any number of threads.
/// </summary>
public sealed unsafe class CpuRecurrentHeads(CpuContext context) : IKernel<RecurrentHeadsCall>, IKernel<RecurrentHeadsBackwardCall>
{
    /// <summary>Places for which chunks do not pay: a step reads and writes the state once for each.</summary>
    private const int FewPlaces = 4;

    public void Run(in RecurrentHeadsCall call)
    {
        call.Check();
        var problem = new HeadsProblem(RecurrentHeadsCall.Name, call.Args);
        RecurrentHeadsShape shape = Shape(call);
        if (problem.Time <= FewPlaces && call.Kept.IsNone)
        {
            var steps = new StepWork { Context = context, Problem = problem, Y = new HeadRows(call.Y), Final = call.Final.Address, Counts = call.Counts.Ints };
            context.Run(call.Y.Type, steps.Items, ref steps);
            return;
        }

        if (!call.Kept.IsNone)
        {
            RowCheck.Room(RecurrentHeadsCall.Name, "kept", call.Kept, KeptBytes(call));
        }

        var work = new ChunkForwardWork
        {
            Context = context,
            Problem = problem,
            Kept = new KeptStates(shape, call.Kept),
            Y = new HeadRows(call.Y),
            Final = call.Final.Address,
            Counts = call.Counts.Ints,
        };
        context.Run(call.Y.Type, work.Items, ref work);
    }

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others, or scratch or what was kept is too small.</exception>
    public void Run(in RecurrentHeadsBackwardCall call)
    {
        call.Check();
        var problem = new HeadsProblem(RecurrentHeadsBackwardCall.Name, call.Args);
        var shape = new RecurrentHeadsShape(RecurrentHeadsBackwardCall.Name, call.Args);
        var kept = new KeptStates(shape, call.Kept);
        var parts = new HeadParts(shape);
        RowCheck.Room(RecurrentHeadsBackwardCall.Name, "kept", call.Kept, kept.Elements * call.DY.Type.Size());
        if (parts.Count > 1)
        {
            RowCheck.Scratch(RecurrentHeadsBackwardCall.Name, call.Scratch, parts.ScratchBytes(call.DY.Type));
        }

        var work = new ChunkBackwardWork { Context = context, Problem = problem, Kept = kept, Gradients = new HeadGradients(call, parts) };
        context.Run(call.DY.Type, work.Items, ref work);
        if (parts.Count > 1)
        {
            var sums = new HeadPartsWork { Problem = problem, Gradients = work.Gradients };
            context.Run(call.DY.Type, sums.Items, ref sums);
        }
    }

    public long KeptBytes(in RecurrentHeadsCall shape) => new KeptStates(Shape(shape), default).Elements * shape.Args.Q.Type.Size();

    public long ScratchBytes(in RecurrentHeadsBackwardCall shape)
        => new HeadParts(new RecurrentHeadsShape(RecurrentHeadsBackwardCall.Name, shape.Args)).ScratchBytes(shape.DY.Type);

    private static RecurrentHeadsShape Shape(in RecurrentHeadsCall call) => new(RecurrentHeadsCall.Name, call.Args);
}
