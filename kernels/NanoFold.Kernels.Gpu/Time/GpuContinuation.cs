using ILGPU;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>Where tokens go on, on a GPU: a thread a token.</summary>
internal sealed class GpuContinuation(GpuContext context) : IKernel<ContinuationCall>
{
    public void Run(in ContinuationCall call)
    {
        call.Check();
        ByElement.Run(ContinuationCall.Name, call.Y, new Body(context, call));
    }

    private readonly struct Body(GpuContext context, ContinuationCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            int tokens = checked((int)call.Y.Count);
            context.LaunchThreads(
                new ContinuationWork<T>
                {
                    Y = context.View<T>(call.Y), Documents = context.View<int>(call.Documents), Positions = context.View<int>(call.Positions),
                    HasDocuments = call.Documents.IsNone ? 0 : 1, HasPositions = call.Positions.IsNone ? 0 : 1, Tokens = tokens, Time = call.Y.Layout[1],
                },
                tokens);
        }
    }
}

/// <summary>1 where a token goes on from the one before it, 0 where something begins.</summary>
internal struct ContinuationWork<T> : IGpuWork<ContinuationWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Y;
    public ArrayView<int> Documents, Positions;
    public int HasDocuments, HasPositions, Tokens, Time;

    public static void Run(ContinuationWork<T> w)
    {
        int token = Grid.IdxX * Group.DimX + Group.IdxX;
        if (token >= w.Tokens)
        {
            return;
        }

        int row = token / w.Time, goesOn = 1;
        if (token == row * w.Time)
        {
            goesOn = w.HasPositions != 0 && w.Positions[row] > 0 ? 1 : 0;
        }
        else if (w.HasDocuments != 0)
        {
            goesOn = w.Documents[token] == w.Documents[token - 1] ? 1 : 0;
        }

        w.Y[token] = T.Write(goesOn);
    }
}
