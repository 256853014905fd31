namespace NanoFold.Engine.Training;

/// <summary>The learning rate after the warm-up, as a share of its peak.</summary>
public enum ScheduleKind
{
    /// <summary>Half a cosine down to the final share.</summary>
    Cosine,

    /// <summary>A line down to the final share.</summary>
    Linear,

    /// <summary>Warm-up, stable, decay: the peak, then down by <see cref="TrainConfig.DecayShape"/> over the last <see cref="TrainConfig.DecayFraction"/> of the steps.</summary>
    Wsd,

    /// <summary>The peak throughout.</summary>
    Constant,

    /// <summary>√(warmup ÷ step), or √(10,000 ÷ (10,000 + step)) without a warm-up: it does not depend on the number of steps.</summary>
    InverseSqrt,
}

/// <summary>How <see cref="ScheduleKind.Wsd"/> goes from the peak to the final share.</summary>
public enum DecayShape
{
    /// <summary>A line.</summary>
    Linear,

    /// <summary>Half a cosine.</summary>
    Cosine,

    /// <summary>1 − √x of the way x (arXiv 2405.18392).</summary>
    Sqrt,
}
