using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests;

/// <summary>Writes docs/compatibility.md after the last test, where that is asked for.</summary>
[SetUpFixture]
public sealed class CompatibilityWriter
{
    [OneTimeTearDown]
    public void Write()
    {
        if (CompatibilityPage.IsWritten && !CaseAgreement.Found.IsEmpty)
        {
            CompatibilityPage.Write(CaseAgreement.Found);
        }
    }
}
