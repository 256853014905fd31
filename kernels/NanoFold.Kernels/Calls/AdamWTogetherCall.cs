using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// <see cref="AdamWCall"/> over consecutive parts of a store, each with its own rate and decay, to the same bits; and beside each new value a copy of it that is
/// rounded to 16 bits. Optional: without it parts are updated one by one and rounded afterwards.
/// </summary>
/// <param name="State">Of the training.</param>
/// <param name="Parameter">p.</param>
/// <param name="Gradient">g.</param>
/// <param name="First">m.</param>
/// <param name="Second">v.</param>
/// <param name="Beta1">What m keeps.</param>
/// <param name="Beta2">What v keeps.</param>
/// <param name="Epsilon">ε.</param>
/// <param name="Parts">At most <see cref="MostParts"/>, in their order.</param>
public readonly record struct AdamWTogetherCall(
    StepState State, View Parameter, View Gradient, View First, View Second, double Beta1, double Beta2, double Epsilon, ReadOnlyMemory<UpdatePart> Parts)
    : IKernelCall<AdamWTogetherCall>
{
    public const int MostParts = 4;

    // Parts begin at whole pieces of four elements.
    private const int Piece = 4;

    public static string Name => "adamw-together";

    /// <summary>p rounded to 16 bits, or none; like p it is left as it was where the step is skipped.</summary>
    public View Rounded { get; init; }

    public KernelCost Cost => new(new AdamWCall(State, Parameter, Gradient, First, Second, Beta1, Beta2, Epsilon, 0).Cost.Flops, Operands.Bytes(this));

    public void Check()
    {
        new AdamWCall(State, Parameter, Gradient, First, Second, Beta1, Beta2, Epsilon, 0).Check();
        RowCheck.OptionalVector(Name, "rounded", Rounded, Rounded.Type.Is16Bit() ? Rounded.Type : DType.BFloat16, Parameter.Count);
        ReadOnlySpan<UpdatePart> parts = Parts.Span;
        if (parts.Length is 0 or > MostParts)
        {
            Checks.Throw(Name, $"{parts.Length} parts, expected 1 to {MostParts}");
        }

        for (int i = 0; i < parts.Length; i++)
        {
            Checks.Slot(Name, "rate", parts[i].Rate);
            bool isLast = i == parts.Length - 1;
            if (parts[i].End <= (i == 0 ? 0 : parts[i - 1].End) || (isLast ? parts[i].End != Parameter.Count : parts[i].End % Piece != 0))
            {
                Checks.Throw(Name, $"part {i} ends at {parts[i].End} of {Parameter.Count}, expected parts one after the other, each up to a multiple of {Piece} and the last to the end");
            }
        }
    }

    public AdamWTogetherCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Parameter = visitor.Visit("parameter", Parameter, Access.Update),
            Gradient = visitor.Visit("gradient", Gradient, Access.Read),
            First = visitor.Visit("first", First, Access.Update),
            Second = visitor.Visit("second", Second, Access.Update),
            Rounded = visitor.Visit("rounded", Rounded, Access.Write),
        };
}

/// <summary>Consecutive elements that are updated alike.</summary>
/// <param name="End">The element after the last, from the beginning of the call's vectors.</param>
/// <param name="Rate">Where their learning rate is.</param>
/// <param name="Decay">Weight decay, times the rate.</param>
public readonly record struct UpdatePart(int End, StepSlot Rate, double Decay);
