using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Something that is measured of a model. A measure is a record of its settings with a line here; it derives from the kind of place that it looks at
/// (<see cref="PointMeasure"/>, <see cref="BlockMeasure"/>, <see cref="HeadMeasure"/>, <see cref="PairMeasure"/>, <see cref="StepMeasure"/>,
/// <see cref="ModelMeasure"/>, <see cref="WeightMeasure"/>, <see cref="NetworkMeasure"/> or <see cref="CheckpointMeasure"/>), says what it wants and what it costs, and writes named figures. Recorder, table and
/// geometry.jsonl print figures that they do not know.
/// </summary>
[MeasureText]
[JsonPolymorphic(TypeDiscriminatorPropertyName = ConfigJson.Kind)]
[JsonDerivedType(typeof(NormMeasure), "norms")]
[JsonDerivedType(typeof(UpdateMeasure), "updates")]
[JsonDerivedType(typeof(CosineMeasure), "cosines")]
[JsonDerivedType(typeof(SpectrumMeasure), "spectrum")]
[JsonDerivedType(typeof(TwoNNMeasure), "twonn")]
[JsonDerivedType(typeof(AttentionMeasure), "attention")]
[JsonDerivedType(typeof(GateMeasure), "gates")]
[JsonDerivedType(typeof(ExpertMeasure), "experts")]
[JsonDerivedType(typeof(StreamMeasure), "streams")]
[JsonDerivedType(typeof(AttentionHeadMeasure), "attention-heads")]
[JsonDerivedType(typeof(GrideMeasure), "gride")]
[JsonDerivedType(typeof(LevinaBickelMeasure), "levina-bickel")]
[JsonDerivedType(typeof(DecimationMeasure), "decimation")]
[JsonDerivedType(typeof(CorrelationMeasure), "correlation")]
[JsonDerivedType(typeof(DimensionProfileMeasure), "dimension-profile")]
[JsonDerivedType(typeof(DimensionBinMeasure), "dimension-bins")]
[JsonDerivedType(typeof(CoverageMeasure), "coverage")]
[JsonDerivedType(typeof(GeodesicMeasure), "geodesics")]
[JsonDerivedType(typeof(HomologyMeasure), "homology")]
[JsonDerivedType(typeof(TangentMeasure), "tangents")]
[JsonDerivedType(typeof(OutlierDimensionMeasure), "outlier-dimensions")]
[JsonDerivedType(typeof(TrajectoryMeasure), "trajectories")]
[JsonDerivedType(typeof(TokenCurvatureMeasure), "token-curvature")]
[JsonDerivedType(typeof(LayerCurvatureMeasure), "layer-curvature")]
[JsonDerivedType(typeof(CkaMeasure), "cka")]
[JsonDerivedType(typeof(OverlapMeasure), "overlap")]
[JsonDerivedType(typeof(LabelOverlapMeasure), "label-overlap")]
[JsonDerivedType(typeof(RsaMeasure), "rsa")]
[JsonDerivedType(typeof(CheckpointSimilarityMeasure), "checkpoint-similarity")]
[JsonDerivedType(typeof(DriftMeasure), "drift")]
[JsonDerivedType(typeof(AttentionGraphMeasure), "attention-graph")]
[JsonDerivedType(typeof(AttentionLagMeasure), "attention-lags")]
[JsonDerivedType(typeof(AttendedNeighborMeasure), "attended-neighbors")]
[JsonDerivedType(typeof(HeadOutputMeasure), "heads")]
[JsonDerivedType(typeof(QueryKeyMeasure), "query-key")]
[JsonDerivedType(typeof(ExpertPurityMeasure), "expert-purity")]
[JsonDerivedType(typeof(ExpertSubspaceMeasure), "expert-subspaces")]
[JsonDerivedType(typeof(StateMeasure), "states")]
[JsonDerivedType(typeof(StreamMixingMeasure), "stream-mixing")]
[JsonDerivedType(typeof(GateUpdateMeasure), "gate-updates")]
[JsonDerivedType(typeof(BoundaryMeasure), "boundaries")]
[JsonDerivedType(typeof(GradientLagMeasure), "gradient-lags")]
[JsonDerivedType(typeof(SeparabilityMeasure), "separability")]
[JsonDerivedType(typeof(ProbeMeasure), "probes")]
[JsonDerivedType(typeof(UnitSparsityMeasure), "unit-sparsity")]
[JsonDerivedType(typeof(ContextMeasure), "contexts")]
[JsonDerivedType(typeof(MinimalPairMeasure), "minimal-pairs")]
[JsonDerivedType(typeof(CollapseMeasure), "collapse")]
[JsonDerivedType(typeof(WeightNormMeasure), "weight-norms")]
[JsonDerivedType(typeof(WeightSpectrumMeasure), "weight-spectra")]
[JsonDerivedType(typeof(JacobianMeasure), "jacobians")]
[JsonDerivedType(typeof(GainMeasure), "gain")]
[JsonDerivedType(typeof(LogitLensMeasure), "logit-lens")]
[JsonDerivedType(typeof(AttributionMeasure), "attribution")]
[JsonDerivedType(typeof(WeightChangeMeasure), "weight-change")]
[JsonDerivedType(typeof(HiddenShiftMeasure), "hidden-shift")]
[JsonDerivedType(typeof(OutputShiftMeasure), "output-shift")]
public abstract record Measure
{
    /// <summary>The tier of what is measured after training only.</summary>
    public const int Offline = 3;

    // What it looks at is one of the kinds of place that there are.
    private protected Measure()
    {
    }

    /// <summary>What is measured where nothing else is asked for: <c>geometry.measures</c>.</summary>
    public static IReadOnlyList<Measure> Defaults { get; } =
    [
        new NormMeasure(), new UpdateMeasure(), new CosineMeasure(), new SpectrumMeasure(), new TwoNNMeasure(), new AttentionMeasure(), new GateMeasure(), new ExpertMeasure(),
        new StreamMeasure(),
    ];

    /// <summary>The name in configurations and in geometry.jsonl.</summary>
    [JsonIgnore]
    public virtual string Kind => Variant.KindOf(this);

    /// <summary>What its columns mean, in a few words at the foot of the table.</summary>
    public abstract string Legend { get; }

    /// <summary>What a model must have to be measured, in a few words such as <c>experts</c>; empty where every model has it.</summary>
    [JsonIgnore]
    public virtual string Subject => "";

    /// <summary>The figures that the table at the end of a run shows; empty for all, under their own names.</summary>
    public virtual IReadOnlyList<FigureColumn> Columns => [];

    /// <summary>
    /// What it costs, and so when it is taken. 0: sums over tokens; 1: second moments, weights: both as often as the budget allows. 2: neighbors, pairs of layers: at
    /// checkpoints. <see cref="Offline"/>: after training.
    /// </summary>
    [JsonIgnore]
    public virtual int Tier => Neighbors > 0 ? 2 : 0;

    /// <summary>The points of a block that it looks at, and which tokens of them.</summary>
    public virtual IReadOnlyList<Want> Wants => [];

    /// <summary>Neighbors of each point that it wants; the neighbors are searched once, with as many as any measure wants. 0 for none.</summary>
    public virtual int Neighbors => 0;

    /// <summary>Whether it looks at the streams of all layers together, which are kept for it.</summary>
    internal virtual bool NeedsStreams => false;

    /// <summary>Whether it looks at them as they were before, too.</summary>
    internal virtual bool NeedsBefore => false;

    /// <summary>Whether it looks at what the model makes of the sampled tokens, so that these in another order are a control.</summary>
    internal virtual bool IsOfTokens => true;

    /// <summary>What is inconsistent in its settings.</summary>
    public virtual IEnumerable<ConfigProblem> Validate(string path) => [];

    /// <summary>About how many multiply-adds it takes in a block: what it is reckoned to cost until its time is known.</summary>
    public abstract double Work(in ProbeShape shape, int width);

    /// <summary>Bytes of the host that taking it needs at most, besides what it looks at.</summary>
    public virtual double Bytes(in ProbeShape shape, int width) => Neighbors > 0 ? NearestNeighbors.Bytes(shape.Neighbors, width, Neighbors) : 0;

    /// <summary>What there is to measure of a block as soon as the pass is through it.</summary>
    internal virtual IEnumerable<PlacedMeasure> AfterBlock(BlockSample block) => [];

    /// <summary>What there is to measure when the pass is through the model.</summary>
    internal virtual IEnumerable<PlacedMeasure> AfterPass(PassSample pass) => [];
}

/// <summary>A measure at one place.</summary>
internal readonly record struct PlacedMeasure(FigurePlace Place, Action<FigureWriter> Take);
