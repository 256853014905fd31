using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Training;

/// <summary>Muon for hidden matrices; AdamW for embeddings, head and gains.</summary>
public sealed record MuonConfig : AdamConfig
{
    /// <summary>The peak of Muon, for hidden matrices; null for what suits the preset, with match-rms AdamW's.</summary>
    [Bounds(0)]
    public double? MatrixLearningRate { get; init; }

    /// <summary>Muon's decoupled decay of hidden matrices; null for none, with match-rms for AdamW's.</summary>
    [Bounds(0)]
    public double? MatrixWeightDecay { get; init; }

    /// <summary>Muon's momentum.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double Momentum { get; init; } = 0.95;

    /// <summary>Whether the update looks ahead, (1 − β) g + β m, in place of the momentum m itself.</summary>
    public bool Nesterov { get; init; } = true;

    /// <summary>Newton–Schulz steps of an update.</summary>
    [Bounds(1, 100)]
    public int Iterations { get; init; } = 5;

    /// <summary>How the rate of a matrix depends on its shape.</summary>
    public MuonAdjustment Adjust { get; init; }

    /// <inheritdoc/>
    /// <remarks>
    /// An orthogonal update changes what a matrix makes by as much at every width (arXiv 2310.17813), so that hidden matrices need no factor, those of a fixed number of outputs a small one;
    /// the rest has Adam's.
    /// </remarks>
    public override double RateFactor(Parameter parameter) => parameter.Role != ParameterRole.Matrix ? base.RateFactor(parameter)
        : Adjust == MuonAdjustment.MatchRms ? parameter.Growth.OfMatchedUpdate
        : parameter.Growth.OfOrthogonalUpdate;

    /// <inheritdoc/>
    /// <remarks>Updates have one size whatever the gradient's, so what begins at 0 grows at once.</remarks>
    public override InitializationKind Initialization => InitializationKind.Zero;

    /// <inheritdoc/>
    public override OptimizerDefaults Defaults(string preset) => preset switch
    {
        "gpt2" => new(1e-3, 0, 300),
        "nano" => new(1e-2, 0, 20),
        _ => new(3e-3, 0, 100),
    };

    /// <inheritdoc/>
    /// <remarks>Its authors' rate, but for nano, where half of it was measured to be better; AdamW's where updates are of the size of AdamW's.</remarks>
    public override OptimizerConfig Resolve(string preset)
    {
        OptimizerDefaults? adamW = Adjust == MuonAdjustment.MatchRms ? new AdamWConfig().Defaults(preset) : null;
        return (MuonConfig)base.Resolve(preset) with
        {
            MatrixLearningRate = MatrixLearningRate ?? adamW?.LearningRate ?? (preset == "nano" ? 1e-2 : 0.02),
            MatrixWeightDecay = MatrixWeightDecay ?? adamW?.WeightDecay ?? 0,
        };
    }

    /// <inheritdoc/>
    public override UpdateRule Build(OptimizerBuilder builder) => new Muon(builder, this);
}

/// <summary>What the rate of a matrix of so many rows and columns is multiplied by. Decay has the rate itself.</summary>
public enum MuonAdjustment
{
    /// <summary>√max(1, rows ÷ columns), its author's.</summary>
    Original,

    /// <summary>0.2 √max(rows, columns): updates of the size of AdamW's, so that its rate and decay serve (arXiv 2502.16982).</summary>
    MatchRms,
}

/// <summary>
/// Muon (Keller Jordan): a step along the orthogonal factor of a matrix's momentum, as large whatever the gradient's size; √(rows ÷ columns) larger where a matrix
/// is tall, if not adjusted otherwise. Its momentum lies in the slot <c>first</c>; no other of Adam's is there for matrices.
/// </summary>
internal sealed class Muon : AdamW
{
    private readonly MuonConfig _config;
    private readonly ParameterStore _store;
    private readonly IKernel<MuonMomentumCall> _momentum;
    private readonly IKernel<MuonApplyCall> _apply;
    private readonly Hidden[][] _together;
    private readonly Hidden[] _chosen;
    private readonly View[] _updates;
    private readonly StepSlot _rate;
    private readonly bool _rounds;
    private readonly long _start;
    private readonly DeviceBuffer? _update;
    private readonly NewtonSchulz? _newtonSchulz;

    public Muon(OptimizerBuilder builder, MuonConfig config)
        : base(builder, config, ParameterRole.Head, ParameterRole.Embedding, ParameterRole.Vector)
    {
        (_config, _store) = (config, builder.Store);
        _momentum = builder.Backend.Require<MuonMomentumCall>();
        _apply = builder.Backend.Require<MuonApplyCall>();
        _rounds = builder.Backend.Find<AdamWTogetherCall>() is not null;
        _rate = builder.Rate("matrixLearningRate", config.MatrixLearningRate!.Value);
        ElementRange matrices = _store.Range(ParameterRole.Matrix);
        _start = matrices.Start;
        // A stack of experts' matrices is updated one by one.
        Hidden[] hidden =
        [
            .. _store.Parameters.Where(p => p.Role == ParameterRole.Matrix && !p.Frozen)
                .SelectMany(p => Enumerable.Range(0, checked((int)(p.Layout.Count / p.Layout[-2] / p.Layout[-1]))).Select(i => new Hidden(p, i))),
        ];
        _together = [.. hidden.GroupBy(m => (m.Rows, m.Columns)).SelectMany(shape => shape.Chunk(NewtonSchulz.Most(shape.Key.Rows, shape.Key.Columns)))];
        int most = _together.Select(batch => batch.Length).DefaultIfEmpty(0).Max();
        (_chosen, _updates) = (new Hidden[most], new View[most]);
        if (hidden.Length > 0)
        {
            _update = builder.Scratch(matrices.Count);
            _newtonSchulz = new NewtonSchulz(builder, hidden.Select(m => (m.Rows, m.Columns)), config.Iterations);
        }
    }

    public override string NameOf(ParameterRole role) => role == ParameterRole.Matrix ? "muon" : base.NameOf(role);

    /// <remarks>Where the rest is rounded so too.</remarks>
    internal override bool Rounds(ParameterRole role) => _rounds && role == ParameterRole.Matrix;

    public override void UpdateRole(in RoleRange range)
    {
        base.UpdateRole(range);
        if (range.Role != ParameterRole.Matrix)
        {
            return;
        }

        foreach (Hidden[] batch in _together)
        {
            int count = 0;
            foreach (Hidden hidden in batch)
            {
                if (hidden.Parameter.Offset >= range.Elements.Start && hidden.Parameter.Offset < range.Elements.End)
                {
                    _updates[count] = new View(_update!, hidden.Parameter.Offset - _start + hidden.Offset, Layout.Of(hidden.Rows, hidden.Columns), _store.Type);
                    _chosen[count++] = hidden;
                }
            }

            if (count > 0)
            {
                _newtonSchulz!.Apply(range.State, _updates.AsSpan(0, count));
            }

            for (int i = 0; i < count; i++)
            {
                Hidden hidden = _chosen[i];
                double size = _config.RateFactor(hidden.Parameter) * ShapeFactor(hidden.Rows, hidden.Columns);
                _apply.Run(new MuonApplyCall(
                    range.State, _rate, _store.Values(hidden.Parameter).With(_updates[i].Layout, hidden.Offset), _updates[i], _config.MatrixWeightDecay!.Value / size, size)
                {
                    Rounded = _rounds ? _store.Rounded(hidden.Elements) : default,
                });
            }
        }
    }

    protected override void Update(in RoleRange piece)
    {
        if (piece.Role == ParameterRole.Matrix)
        {
            var update = new View(_update!, piece.Elements.Start - _start, Layout.Of(checked((int)piece.Elements.Count)), _store.Type);
            _momentum.Run(new MuonMomentumCall(piece.State, piece.Gradients, piece.In(First), update, _config.Momentum));
            if (!_config.Nesterov)
            {
                _store.Backend.Copy(piece.In(First), update);
            }
        }
        else
        {
            base.Update(piece);
        }
    }

    private double ShapeFactor(int rows, int columns) => _config.Adjust == MuonAdjustment.MatchRms
        ? 0.2 * Math.Sqrt(Math.Max(rows, columns))
        : Math.Sqrt(Math.Max(1, (double)rows / columns));

    /// <summary>One matrix of a parameter: the only one, or that of an expert.</summary>
    private readonly record struct Hidden(Parameter Parameter, int Number)
    {
        public int Rows => Parameter.Layout[-2];

        public int Columns => Parameter.Layout[-1];

        /// <summary>From the parameter's beginning.</summary>
        public long Offset => (long)Number * Rows * Columns;

        public ElementRange Elements => new(Parameter.Offset + Offset, Parameter.Offset + Offset + ((long)Rows * Columns));
    }
}
