"""The known targets. A new one is one entry here; datasets, models, predictions, writers and docs read it."""

from __future__ import annotations

from paraisite.targets.target import Share, Target

ROOM = 300.0
"""Temperature of all that depends on one, in K."""

_OF_SOURCE = "κ as the calculations of `{}` would give it"

KNOWN = (
    Target("kappa", "W/m/K", "kappa_W_mK", "lattice thermal conductivity κ, isotropic average", temperature=ROOM),
    Target(
        "kappa_particle",
        "W/m/K",
        "kappa_particle_W_mK",
        "the part of κ that phonons carry as particles",
        temperature=ROOM,
    ),
    Target(
        "kappa_coherence",
        "W/m/K",
        "kappa_coherence_W_mK",
        "the part of coherences, that is of tunnelling between modes",
        temperature=ROOM,
    ),
    Target(
        "coherence_share",
        "1",
        "coherence_share",
        "`kappa_coherence` / κ, between 0 and 1",
        "logit",
        ROOM,
        share=Share(part="kappa_coherence", rest="kappa_particle"),
    ),
    Target("kappa_agl", "W/m/K", "kappa_agl_W_mK", _OF_SOURCE.format("aflow_agl"), temperature=ROOM),
    Target("kappa_l96", "W/m/K", "kappa_l96_W_mK", _OF_SOURCE.format("l96"), temperature=ROOM),
    Target("kappa_hh143", "W/m/K", "kappa_hh143_W_mK", _OF_SOURCE.format("hh143"), temperature=ROOM),
    Target(
        "transport_integral",
        "W/m/K/s",
        "transport_integral_W_mK_s",
        "Σ C v²/(3 V): κ if every mode lived one second",
        temperature=ROOM,
    ),
    Target("max_frequency", "THz", "max_frequency_THz", "highest phonon frequency"),
    Target("mean_frequency", "THz", "mean_frequency_THz", "mean phonon frequency"),
    Target("mean_inverse_frequency", "1/THz", "mean_inverse_frequency_1_THz", "mean of 1/frequency"),
    Target("mean_square_frequency", "THz^2", "mean_square_frequency_THz2", "mean of frequency²"),
    Target("acoustic_max", "THz", "acoustic_max_THz", "highest frequency of the third branch"),
    Target("optical_min", "THz", "optical_min_THz", "lowest frequency of the fourth branch"),
    Target("phase_space", "1/THz", "phase_space_1_THz", "density of pairs of modes that add up to a mode"),
    Target("velocity_mean", "m/s", "velocity_mean_m_s", "heat-weighted group velocity", temperature=ROOM),
    Target("sound_longitudinal", "m/s", "sound_longitudinal_m_s", "velocity of longitudinal sound"),
    Target("sound_transverse", "m/s", "sound_transverse_m_s", "velocity of transverse sound"),
    Target(
        "heat_capacity_cv_atom",
        "k_B/atom",
        "heat_capacity_cv_kB_atom",
        "at constant volume",
        "identity",
        ROOM,
    ),
    Target("debye_temperature", "K", "debye_temperature_K", "of AFLOW's quasiharmonic Debye model (AGL)"),
    Target("gruneisen", "1", "gruneisen", "Grüneisen parameter (AGL)", "identity"),
    Target("thermal_expansion", "1/K", "thermal_expansion_1_K", "of the volume (AGL)", temperature=ROOM),
    Target(
        "vibrational_entropy_atom",
        "meV/K/atom",
        "vibrational_entropy_meV_K_atom",
        "vibrational entropy (AGL)",
        "identity",
        ROOM,
    ),
    Target(
        "vibrational_free_energy_atom",
        "meV/atom",
        "vibrational_free_energy_meV_atom",
        "vibrational free energy (AGL)",
        "identity",
        ROOM,
    ),
    Target("bulk_modulus_static", "GPa", "bulk_modulus_static_GPa", "static bulk modulus (AGL)", temperature=ROOM),
    Target("bulk_modulus_vrh", "GPa", "bulk_modulus_GPa", "Voigt-Reuss-Hill average (AEL)"),
    Target("shear_modulus_vrh", "GPa", "shear_modulus_GPa", "Voigt-Reuss-Hill average (AEL)"),
    Target("band_gap", "eV", "band_gap_eV", "band gap by density-functional theory (PBE)", "identity"),
    Target(
        "formation_energy",
        "eV/atom",
        "formation_energy_eV_atom",
        "by the original encoder: `paraisite models fetch megnet-mp-2018.6.1-eform`",
        "identity",
    ),
)
