using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// Adds Σ g² to <see cref="StepSlot.GradientSquares"/>, in double, in an order fixed by the shape. Like all of an optimizer's passes it works on
/// contiguous ranges of a parameter store.
/// </summary>
public readonly record struct AddSquaresCall(StepState State, View Gradient) : IKernelCall<AddSquaresCall>
{
    public static string Name => "add-squares";

    public KernelCost Cost => new(2.0 * Gradient.Count, Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        OptimizerChecks.Vector(Name, "gradient", Gradient);
    }

    public AddSquaresCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(State, visitor.Visit("gradient", Gradient, Access.Read));
}

/// <summary>
/// Decides about the step: divides GradientSquares by LossScale². GradientScale = 0 (and Skipped + 1) if Loss, one of the state's terms beside it or GradientSquares is not finite, otherwise
/// min(1, clip / √GradientSquares) / LossScale. The passes below do nothing where GradientScale is 0, so the last good state is never overwritten.
/// </summary>
/// <param name="State">Of the training.</param>
/// <param name="Clip">The largest gradient norm; 0 for none.</param>
/// <param name="DynamicLossScale">
/// Then also: where not finite, LossScale = max(<see cref="LossScaling.Least"/>, LossScale / 2) and GoodSteps = 0; otherwise GoodSteps + 1, and after
/// <see cref="LossScaling.StepsPerDoubling"/> of them LossScale = min(<see cref="LossScaling.Most"/>, 2 · LossScale) and GoodSteps = 0.
/// </param>
public readonly record struct DecideCall(StepState State, double Clip, bool DynamicLossScale) : IKernelCall<DecideCall>
{
    public static string Name => "decide";

    public KernelCost Cost => default;

    public void Check()
    {
        Checks.State(Name, State);
        if (!(Clip >= 0))
        {
            Checks.Throw(Name, $"clip is {Clip}, expected 0 (none) or a positive norm");
        }
    }

    public DecideCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this;
}

/// <summary>
/// AdamW with decoupled decay (arXiv 1711.05101): g' = scale · g; m, v lerp; p −= rate · (m̂ / (√v̂ + ε) + decay · p). Step and rate are read from the state.
/// </summary>
/// <param name="State">Of the training.</param>
/// <param name="Parameter">p.</param>
/// <param name="Gradient">g.</param>
/// <param name="First">m.</param>
/// <param name="Second">v.</param>
/// <param name="Beta1">What m keeps.</param>
/// <param name="Beta2">What v keeps.</param>
/// <param name="Epsilon">ε.</param>
/// <param name="Decay">Of the weights, times the rate.</param>
public readonly record struct AdamWCall(StepState State, View Parameter, View Gradient, View First, View Second, double Beta1, double Beta2, double Epsilon, double Decay)
    : IKernelCall<AdamWCall>
{
    // Scale; two moving means, one of a square; the correction, root, ε, quotient; decay and step.
    private const int Flops = 15;

    public static string Name => "adamw";

    /// <summary>Where the learning rate is.</summary>
    public StepSlot Rate { get; init; } = StepSlot.LearningRate;

    public KernelCost Cost => new((double)Parameter.Count * Flops, Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        Checks.Slot(Name, "rate", Rate);
        OptimizerChecks.Pass(Name, "parameter", Parameter, "gradient", Gradient);
        OptimizerChecks.Pass(Name, "parameter", Parameter, "first", First);
        OptimizerChecks.Pass(Name, "parameter", Parameter, "second", Second);
    }

    public AdamWCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Parameter = visitor.Visit("parameter", Parameter, Access.Update),
            Gradient = visitor.Visit("gradient", Gradient, Access.Read),
            First = visitor.Visit("first", First, Access.Update),
            Second = visitor.Visit("second", Second, Access.Update),
        };
}

/// <summary>Muon's momentum: m ← β m + (1 − β) g'; update = (1 − β) g' + β m (Nesterov).</summary>
public readonly record struct MuonMomentumCall(StepState State, View Gradient, View Momentum, View Update, double Beta) : IKernelCall<MuonMomentumCall>
{
    private const int Flops = 6;

    public static string Name => "muon-momentum";

    public KernelCost Cost => new((double)Gradient.Count * Flops, Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        OptimizerChecks.Pass(Name, "gradient", Gradient, "momentum", Momentum);
        OptimizerChecks.Pass(Name, "gradient", Gradient, "update", Update);
    }

    public MuonMomentumCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(State, visitor.Visit("gradient", Gradient, Access.Read), visitor.Visit("momentum", Momentum, Access.Update), visitor.Visit("update", Update, Access.Write), Beta);
}

/// <summary>
/// y = x / ‖x‖_F: one matrix, however small its elements; zero stays zero. Where Σ x² is below <see cref="Small"/>, squares may have vanished in single
/// precision: then x is multiplied by <see cref="Lift"/> first, which is exact.
/// </summary>
public readonly record struct NormalizeFrobeniusCall(StepState State, View X, View Y) : IKernelCall<NormalizeFrobeniusCall>
{
    /// <summary>2⁻⁸⁰, far above what is lost where squares below 2⁻¹²⁶ count as 0.</summary>
    public const double Small = 1.0 / (1L << 40) / (1L << 40);

    /// <summary>2¹⁰⁰: squares of the smallest elements are normal numbers then, and those of a matrix of <see cref="Small"/> squares do not overflow.</summary>
    public const float Lift = (float)(1L << 50) * (1L << 50);

    private const int Flops = 3;

    public static string Name => "normalize-frobenius";

    public KernelCost Cost => new((double)X.Count * Flops, Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        OptimizerChecks.Pass(Name, "x", X, "y", Y);
    }

    public NormalizeFrobeniusCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(State, visitor.Visit("x", X, Access.Read), visitor.Visit("y", Y, Access.Write));
}

/// <summary>p −= rate · rateFactor · (update + decay · p), where the rate is read from a slot of the state.</summary>
public readonly record struct MuonApplyCall(StepState State, StepSlot Rate, View Parameter, View Update, double Decay, double RateFactor) : IKernelCall<MuonApplyCall>
{
    private const int Flops = 4;

    public static string Name => "muon-apply";

    /// <summary>p rounded to 16 bits, or none; like p it is left as it was where the step is skipped. For backends that have <see cref="AdamWTogetherCall"/>.</summary>
    public View Rounded { get; init; }

    public KernelCost Cost => new((double)Parameter.Count * Flops, Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        Checks.Slot(Name, "rate", Rate);
        OptimizerChecks.Pass(Name, "parameter", Parameter, "update", Update);
        RowCheck.OptionalVector(Name, "rounded", Rounded, Rounded.Type.Is16Bit() ? Rounded.Type : DType.BFloat16, Parameter.Count);
    }

    public MuonApplyCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Parameter = visitor.Visit("parameter", Parameter, Access.Update), Update = visitor.Visit("update", Update, Access.Read), Rounded = visitor.Visit("rounded", Rounded, Access.Write),
        };
}

/// <summary>What an optimizer's passes ask of their operands.</summary>
internal static class OptimizerChecks
{
    /// <summary>Contiguous and real.</summary>
    public static void Vector(string op, string name, in View x)
    {
        Checks.Real(op, name, x);
        RowCheck.Vector(op, name, x, x.Type, x.Count);
    }

    /// <summary>Both contiguous, of one real type and as many elements.</summary>
    public static void Pass(string op, string nameX, in View x, string nameY, in View y)
    {
        Vector(op, nameX, x);
        RowCheck.Vector(op, nameY, y, x.Type, x.Count);
    }
}
