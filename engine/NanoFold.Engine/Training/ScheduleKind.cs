namespace NanoFold.Engine.Training;

/// <summary>The learning rate after the warm-up, as a share of its peak.</summary>
public enum ScheduleKind
{
    /// <summary>Half a cosine down to the final share.</summary>
    Cosine,

    /// <summary>A line down to the final share.</summary>
    Linear,

    /// <summary>Warm-up, stable, decay: the peak, then a line down over the last <see cref="TrainConfig.DecayFraction"/> of the steps.</summary>
    Wsd,

    /// <summary>The peak throughout.</summary>
    Constant,
}
